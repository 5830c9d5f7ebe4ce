"""Keyboard, screen reader, languages, small and magnified screens."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import NewGuest
from tests.browser.house import House, link_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_SIDEWAYS_SCROLLING = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


async def test_one_joins_mutes_and_leaves_with_the_keyboard_alone(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    keyboard = ada.page.keyboard
    name = ada.page.get_by_label("Your name")
    await expect(name).to_be_visible()

    async def tab_to(label: str) -> None:
        for _ in range(20):
            await keyboard.press("Tab")
            if label in await ada.focused():
                return
        pytest.fail(f"the Tab key never reaches {label}")

    await keyboard.press("Tab")
    assert await ada.focused() == "Skip to content"
    await keyboard.press("Enter")
    assert link_of(call) == ada.page.url
    while not await name.evaluate("field => field === document.activeElement"):
        await keyboard.press("Tab")

    # Without a name the field says what is missing, and keeps the focus.
    await keyboard.press("Enter")
    await expect(ada.page.get_by_role("alert")).to_have_text("Type your name to join.")
    await expect(name).to_be_focused()
    await expect(name).to_have_attribute("aria-invalid", "true")

    await keyboard.type("Ada Lovelace")
    await keyboard.press("Enter")
    await ada.in_meeting()
    await ada.hears("You are in the meeting.")
    assert await ada.focused() == "Point budget"
    await tab_to("Microphone")
    await keyboard.press("Space")
    await expect(ada.switch("Micro", "Microphone")).not_to_be_checked()
    await tab_to("Leave")
    await keyboard.press("Enter")
    await ada.sees_title("You left the meeting")
    assert await ada.focused() == "You left the meeting"


async def test_a_name_of_dots_is_explained(house: House, new_guest: NewGuest) -> None:
    ada = await new_guest(await house.opens())
    await ada.page.get_by_label("Your name").fill("...")
    await ada.page.get_by_role("button", name="Join", exact=True).click()
    await expect(ada.page.get_by_role("alert")).to_contain_text("This name cannot be read.")
    await expect(ada.page.get_by_label("Your name")).to_be_focused()


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(1280, 720, "wide"), (375, 740, "narrow"), (640, 360, "magnified")],
    ids=["wide", "narrow", "at 200 %"],
)
async def test_every_view_fits_and_passes_axe_in_both_languages(
    house: House, new_guest: NewGuest, width: int, height: int, size: str
) -> None:
    ada = await new_guest(await house.opens(), language="fr", viewport={"width": width, "height": height})

    async def check(view: str) -> None:
        for language, other in (("fr", "English"), ("en", "Français")):
            assert await ada.page.evaluate("() => document.documentElement.lang") == language
            assert await ada.page.evaluate(NO_SIDEWAYS_SCROLLING)
            await ada.picture(f"{view}-{language}-{size}")
            await ada.page.get_by_role("button", name=other).click()
        await ada.passes_axe()

    await expect(ada.switch("Caméra", "Camera")).to_be_checked()
    await check("lobby")
    await ada.join("Ada Lovelace")
    await check("alone")
    await ada.page.get_by_role("button", name="Participants").click()
    await check("people")
    await ada.page.keyboard.press("Escape")
    await ada.leave()
    await check("left")


async def test_the_language_is_switched_on_the_page_and_kept_over_a_reload(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    ada = await new_guest(call, language="fr")
    await expect(ada.page.get_by_label("Votre nom")).to_be_visible()
    await ada.page.get_by_role("button", name="English").click()
    await expect(ada.page.get_by_label("Your name")).to_be_visible()
    await ada.page.reload()
    await expect(ada.page.get_by_label("Your name")).to_be_visible()
    assert "lang=en" in ada.page.url
    assert ada.page.url.endswith(f"#{call.secret}")


async def test_the_address_may_name_the_language_and_others_get_the_bridges(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    asked = await new_guest(link_of(call).replace("#", "?lang=en#"), language="fr")
    await expect(asked.page.get_by_label("Your name")).to_be_visible()
    neither = await new_guest(call, language="it")
    await expect(neither.page.get_by_label("Votre nom")).to_be_visible()
