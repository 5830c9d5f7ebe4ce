"""A call from ``!visio`` to its end, through the real homeserver and the real SFU."""

from __future__ import annotations

from bridge.demo.matrix_user import MatrixUser
from tests.support.bridges import LocalBridge

CALL = "fr.passerelle.call"


async def test_a_command_opens_a_call_with_a_card(bridge: LocalBridge, alice: MatrixUser) -> None:
    room = await alice.create_room(name="Équipe", invite=[bridge.bot_id])
    await alice.wait_for(room, lambda e: e["sender"] == bridge.bot_id and "Bonjour" in e["content"].get("body", ""), 20)

    await alice.say(room, "!visio Point budget")

    card = await alice.wait_for(room, lambda e: CALL in e["content"], 20)
    assert card["content"]["body"].startswith("Visio ouverte : Point budget")
