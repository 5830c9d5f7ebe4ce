"""The client around Element Call, without the bridge: what the other tests of this folder look into."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.browser.rtc.people import NewPerson, OpenCall
from tests.browser.rtc.plain_service import PlainService
from tests.browser.rtc.rooms import call_room

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_room_can_be_read_and_written_beside_the_call(
    plain_service: PlainService, new_person: NewPerson, open_call: OpenCall
) -> None:
    alice, bob = await asyncio.gather(new_person("Alice"), new_person("Bob"))
    room_id = await call_room(alice, bob)
    call = await (await open_call(alice, room_id, service_url=plain_service.url)).joined()
    await call.say("Bonjour")
    await bob.wait_for(room_id, lambda event: event["content"].get("body") == "Bonjour")
    html = (
        '<strong>Card</strong> <a href="https://visio.example/abc">join</a><script>window.hacked = 1</script>'
    )
    notice = {"msgtype": "m.notice", "format": "org.matrix.custom.html", "formatted_body": html}
    sent = await bob.send(room_id, "m.room.message", {**notice, "body": "Card"})
    shown = call.page.get_by_role("log").get_by_role("listitem").filter(has_text="Card")
    await expect(shown.get_by_role("link", name="join")).to_have_attribute("rel", "noopener noreferrer")
    assert await call.page.evaluate("() => window.hacked") is None
    await bob.edit(room_id, sent, "Card, edited")
    await expect(shown).to_contain_text("Card, edited")
    await bob.redact(room_id, sent)
    await expect(shown).to_have_count(0)
    await call.passes_axe()
    await call.hang_up()
