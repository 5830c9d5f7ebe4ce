from __future__ import annotations

from bridge.calls.model import Action, ActionKind
from bridge.keeper.ports import Member
from tests.support.office import T0, Office, a_call


def ring(user_id: str, *, by: str = "@ada:hs", at: int = T0) -> Action:
    return Action(ActionKind.RING, user_id, "label", "", at, by=by)


async def test_those_whom_one_command_named_are_called_with_one_message(office: Office) -> None:
    await office.begin(a_call(pending=(ring("@bob:hs"), ring("@eve:hs", at=T0 + 1), ring("@zoe:hs"))))
    await office.send()
    office.doorman.members = {"@bob:hs": Member("Bob", True), "@zoe:hs": Member("Zoé", True)}
    assert await office.look() == {"c1": office.now}
    (said,) = await office.said()
    assert said.startswith("Bob, Zoé: Ada Lovelace is calling you")
    assert [action.identity for action in (await office.call()).pending] == ["@eve:hs"]


async def test_calling_goes_before_what_waits_for_the_sfu(office: Office) -> None:
    mute = Action(ActionKind.MUTE, "zoe", "Zoe", "", T0)
    await office.begin(a_call(pending=(mute, ring("@bob:hs"))))
    await office.send()
    office.provider.away = True
    await office.look()
    (said,) = await office.said()
    assert said.startswith("label: ")
    assert (await office.call()).pending == (mute,)


async def test_whom_a_call_was_meant_for_is_kept_over_a_restart(office: Office) -> None:
    await office.begin(a_call(pending=(ring("@bob:hs"),)))
    assert (await office.call()).pending == (ring("@bob:hs"),)
