"""The stand-in's page for Visio: a person gets into the meeting with it, lobby included."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from bridge.demo.guest import Guest
from bridge.demo.visio.stand_in import StandIn
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def enter(page: Page, link: str, name: str) -> None:
    await page.goto(link)
    await page.get_by_label("Your name").fill(name)
    await page.get_by_role("button", name="Join").click()


async def test_somebody_joins_with_the_page_and_is_seen_and_heard(browser: Browser, visio: StandIn) -> None:
    room = visio.world.add_room(access_level="public")
    ticket = await visio.ticket(room, "Denis Petit")
    context = await browser.new_context()
    async with Guest(ticket.name, ticket.sfu_url, ticket.token) as denis:
        page = await context.new_page()
        await enter(page, visio.link(room), "Chloé Martin")
        await expect(page.get_by_role("status")).to_have_text("You are in.")
        await expect(page.get_by_text("Denis Petit")).to_be_visible()
        await denis.wait_for_media("Chloé Martin")
        await page.wait_for_function(
            "() => [...document.querySelectorAll('video')].filter((v) => v.videoWidth > 0).length === 2"
        )
        await page.get_by_role("button", name="Leave").click()
        await expect(page.get_by_role("status")).to_have_text("You are out.")
    await context.close()


async def test_who_has_no_account_waits_in_the_lobby_until_an_organiser_comes(
    browser: Browser, visio: StandIn
) -> None:
    room = visio.world.add_room(access_level="trusted")
    ada = visio.world.add_user("ada@stand-in.example", "Ada Lovelace")
    context = await browser.new_context()
    page = await context.new_page()
    await enter(page, visio.link(room), "Jean")
    await expect(page.get_by_role("status")).to_have_text("An organiser must let you in. Waiting ...")
    await until(lambda: visio.admit(room) == ["Jean"])
    await expect(page.get_by_role("status")).to_have_text("You are in.")
    await context.close()

    context = await browser.new_context()
    page = await context.new_page()
    await enter(page, f"{visio.link(room)}?account={ada.email}", "Ada")
    await expect(page.get_by_role("status")).to_have_text("You are in.")
    await context.close()
