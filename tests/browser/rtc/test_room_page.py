"""The client around Element Call as a page for a room, while nobody calls."""

from __future__ import annotations

import asyncio

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, expect

from bridge.demo.client.login import new_device
from bridge.demo.client.server import ClientServer
from tests.browser.rtc.people import NewPerson
from tests.browser.rtc.rooms import call_room

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_room_can_be_read_and_written(
    browser: Browser, client_server: ClientServer, new_person: NewPerson
) -> None:
    alice, bob = await asyncio.gather(new_person("Alice"), new_person("Bob"))
    room_id = await call_room(alice, bob)
    page = await browser.new_page()
    await page.goto(client_server.address(await new_device(alice), room_id))
    await page.get_by_label("Message", exact=True).fill("Bonjour")
    await page.get_by_role("button", name="Send").click()
    await bob.wait_for(room_id, lambda event: event["content"].get("body") == "Bonjour")
    html = (
        '<strong>Card</strong> <a href="https://visio.example/abc">join</a><script>window.hacked = 1</script>'
    )
    notice = {"msgtype": "m.notice", "format": "org.matrix.custom.html", "formatted_body": html}
    sent = await bob.send(room_id, "m.room.message", {**notice, "body": "Card"})
    shown = page.get_by_role("log").get_by_role("listitem").filter(has_text="Card")
    await expect(shown.get_by_role("link", name="join")).to_have_attribute("rel", "noopener noreferrer")
    assert await page.evaluate("() => window.hacked") is None
    await bob.edit(room_id, sent, "Card, edited")
    await expect(shown).to_contain_text("Card, edited")
    await bob.redact(room_id, sent)
    await expect(shown).to_have_count(0)
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    await page.close()
