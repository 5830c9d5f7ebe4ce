"""How a meeting ends for a page, and what it says when it cannot even begin."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from bridge.demo.peers.livekit import LiveKit
from tests.browser.conftest import NewGuest, OpenHouse
from tests.browser.house import House, link_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_end_of_the_meeting_is_told_to_who_is_in_and_to_who_comes_late(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await ada.join("Ada", audio_only=True)
    await house.ends(call)
    await ada.sees_title("The meeting is over")
    assert await ada.focused() == "The meeting is over"
    await ada.passes_axe()
    await ada.picture("over-en-wide")
    late = await new_guest(call, language="fr")
    await late.sees_title("La réunion est terminée")


async def test_somebody_who_waits_at_the_door_sees_who_came_and_that_it_ended(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    ada = await new_guest("about:blank")
    await ada.page.clock.install()
    await ada.page.goto(link_of(call))
    await expect(ada.page.get_by_text("Nobody is there yet.")).to_be_visible()
    house.shows(call, "Marie", "Pierre")
    await ada.page.clock.fast_forward(15_000)
    await expect(ada.page.get_by_text("2 people are already there.")).to_be_visible()
    await house.ends(call)
    await ada.page.clock.fast_forward(15_000)
    await ada.sees_title("The meeting is over")


async def test_somebody_who_was_removed_reads_that_they_were(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await ada.join("Ada", audio_only=True)
    (one,) = (await house.provider.who(call)).participants
    await house.provider.remove(call, one.identity)
    await ada.sees_title("You were removed from the meeting")


async def test_whose_microphone_an_organiser_turned_off_is_told_until_it_is_on_again(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await ada.join("Ada")
    switch = ada.switch("Micro", "Microphone")
    await expect(switch).to_be_checked()
    (one,) = (await house.provider.who(call)).participants
    await house.provider.mute(call, one.identity)
    notice = ada.page.get_by_role("alert")
    await expect(notice).to_have_text("An organiser turned your microphone off. You can turn it on again.")
    await expect(switch).not_to_be_checked()
    await ada.passes_axe()
    await switch.click()
    await expect(notice).to_have_count(0)
    await expect(switch).to_be_checked()
    # What one does oneself needs no telling.
    await switch.click()
    await expect(switch).not_to_be_checked()
    await expect(notice).to_have_count(0)


async def test_a_full_meeting_says_so_and_lets_in_when_somebody_left(
    open_house: OpenHouse, livekit: LiveKit, new_guest: NewGuest
) -> None:
    house = await open_house(livekit, max_participants=1)
    call = await house.opens()
    ada = await new_guest(call)
    marie = await new_guest(call, language="fr")
    await ada.join("Ada", audio_only=True)
    await marie.page.get_by_label("Votre nom").fill("Marie")
    await marie.page.get_by_role("button", name="Rejoindre", exact=True).click()
    await marie.sees_title("La réunion est complète")
    await marie.passes_axe()
    await ada.leave()
    await marie.page.get_by_role("button", name="Réessayer").click()
    await marie.join("Marie", audio_only=True)


async def test_a_wrong_link_says_so_and_a_corrected_one_works_at_once(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    ada = await new_guest(link_of(call)[:-3])
    await ada.sees_title("This link leads to no meeting")
    await ada.passes_axe()
    # Only the fragment changes, so the browser loads nothing anew.
    await ada.page.goto(link_of(call))
    await ada.sees_title("Point budget")


async def test_a_bridge_that_is_away_can_be_tried_again(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await ada.page.get_by_label("Your name").fill("Ada")
    await house.shut_doors()
    await ada.page.get_by_role("button", name="Join", exact=True).click()
    await ada.sees_title("The service cannot be reached")
    await ada.passes_axe()
    await house.open_doors()
    await ada.page.get_by_role("button", name="Try again").click()
    await ada.join("Ada", audio_only=True)


async def test_an_sfu_that_is_away_is_told_apart_and_comes_back(
    open_house: OpenHouse, make_livekit: Callable[..., LiveKit], new_guest: NewGuest
) -> None:
    livekit = make_livekit()
    await livekit.start()
    house = await open_house(livekit)
    call = await house.opens()
    ada = await new_guest(call)
    await ada.page.get_by_label("Your name").fill("Ada")
    livekit.kill()
    await ada.page.get_by_role("button", name="Join", exact=True).click()
    await ada.sees_title("The meeting cannot be reached")
    await livekit.start()
    await ada.page.get_by_role("button", name="Try again").click()
    await ada.join("Ada", audio_only=True)

    # In mid-meeting the page says that it tries again, and does.
    livekit.kill()
    await expect(ada.page.get_by_text("Connection lost. Trying again…").first).to_be_visible(timeout=20_000)
    await ada.passes_axe()
    await livekit.start()
    await expect(ada.page.get_by_text("Connection lost. Trying again…").first).to_be_hidden(timeout=20_000)
    await ada.in_meeting()
