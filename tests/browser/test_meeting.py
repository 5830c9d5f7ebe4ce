"""Two people, two browsers, one SFU: what each sees and hears of the other."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import NewGuest
from tests.browser.house import House
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_people_see_and_hear_each_other(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await expect(ada.page.get_by_role("heading", level=1, name="Point budget")).to_be_visible()
    await ada.join("Ada Lovelace")
    marie = await new_guest(call, language="fr")
    await marie.join("Marie Curie")

    await ada.hears("Marie Curie joined.")
    await expect(ada.tile("Marie Curie")).to_be_visible()
    await expect(marie.tile("Ada Lovelace")).to_be_visible()
    await ada.receives_sound_and_pictures()
    await marie.receives_sound_and_pictures()
    seen = {(one.name, one.identity.split("-")[0]) for one in (await house.provider.who(call)).participants}
    assert seen == {("Ada Lovelace", "guest"), ("Marie Curie", "guest")}
    assert house.hints == [call.id, call.id]
    await ada.picture("meeting-en-wide")
    await marie.picture("meeting-fr-wide")

    # Muting is seen by the other, in the picture and in the list of people.
    await marie.switch("Micro", "Microphone").click()
    await expect(marie.switch("Micro", "Microphone")).not_to_be_checked()
    await expect(ada.tile("Marie Curie")).to_contain_text("microphone off")
    await ada.page.get_by_role("button", name="Participants").click()
    people = ada.page.get_by_role("complementary", name="2 participants")
    await expect(people.get_by_role("listitem").filter(has_text="Marie Curie")).to_contain_text(
        "microphone off"
    )
    await ada.picture("meeting-people-en-wide")
    await ada.page.keyboard.press("Escape")
    await expect(people).to_be_hidden()
    assert await ada.focused() == "Participants (2)"

    # So is the camera.
    await marie.switch("Caméra", "Camera").click()
    await expect(ada.tile("Marie Curie").locator("video")).to_have_count(0)
    await marie.switch("Caméra", "Camera").click()
    await expect(ada.tile("Marie Curie").locator("video")).to_have_count(1)

    await marie.leave()
    await ada.hears("Marie Curie left.")
    await expect(ada.tile("Marie Curie")).to_have_count(0)
    await marie.page.get_by_role("button", name="Revenir dans la réunion").click()
    await expect(marie.page.get_by_label("Votre nom")).to_have_value("Marie Curie")


async def test_a_shared_screen_reaches_the_others(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    marie = await new_guest(call, language="fr")
    await ada.join("Ada", audio_only=True)
    await marie.join("Marie", audio_only=True)
    before = await marie.received()

    await ada.switch("Partager l’écran", "Share screen").click()
    await marie.hears("Ada partage son écran.")
    await expect(marie.page.get_by_text("Écran partagé : Ada")).to_be_visible()

    async def decoded() -> bool:
        return (await marie.received()).frames > before.frames + 2

    await until(decoded, timeout=20, poll=0.1)
    await marie.picture("meeting-screen-fr-wide")
    await ada.picture("meeting-own-screen-en-wide")
    await ada.switch("Partager l’écran", "Share screen").click()
    await marie.hears("Ada ne partage plus son écran.")
    await expect(marie.page.get_by_text("Écran partagé : Ada")).to_be_hidden()


async def test_joining_with_audio_only_sends_no_picture(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await ada.join("Ada", audio_only=True)
    await expect(ada.switch("Caméra", "Camera")).not_to_be_checked()
    await expect(ada.switch("Micro", "Microphone")).to_be_checked()


async def test_a_reload_is_the_same_person(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await ada.join("Ada", audio_only=True)
    (before,) = (await house.provider.who(call)).participants
    await ada.page.reload()
    await expect(ada.page.get_by_label("Your name")).to_have_value("Ada")
    await ada.join("Ada", audio_only=True)
    after = (await house.provider.who(call)).participants
    assert [one.identity for one in after] == [before.identity]


async def test_the_same_person_in_a_second_tab_replaces_the_first(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await ada.join("Ada", audio_only=True)
    visitor = await ada.page.evaluate("() => sessionStorage.getItem('visitor')")
    twin = await new_guest("about:blank")
    # What "duplicate tab" does: the new tab begins with a copy of the storage.
    await twin.page.add_init_script(f"sessionStorage.setItem('visitor', {visitor!r})")
    await twin.page.goto(str(call.url))
    await twin.join("Ada", audio_only=True)
    await ada.sees_title("The meeting is open elsewhere")
    await ada.page.get_by_role("button", name="Continue here").click()
    await ada.join("Ada", audio_only=True)
    await twin.sees_title("The meeting is open elsewhere")
