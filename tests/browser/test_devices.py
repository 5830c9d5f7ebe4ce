"""Cameras and microphones that are refused, missing or chosen."""

from __future__ import annotations

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import NewGuest
from tests.browser.guest import Guest
from tests.browser.house import House, link_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_CAMERA = """
(() => {
  const original = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = function (constraints) {
    if (constraints?.video) {
      return Promise.reject(new DOMException("Requested device not found", "NotFoundError"));
    }
    return original.call(this, constraints);
  };
})();
"""


async def refuse(guest: Guest, *features: str) -> None:
    """Have the browser itself refuse these devices, by the page's permissions policy."""

    async def answer(route: Route) -> None:
        response = await route.fetch()
        policy = ", ".join(f"{feature}=()" for feature in features)
        await route.fulfill(response=response, headers={**response.headers, "permissions-policy": policy})

    await guest.page.route("**/call/*", answer)


async def test_a_refused_camera_is_told_and_one_joins_with_the_microphone(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    ada = await new_guest("about:blank")
    await refuse(ada, "camera")
    await ada.page.goto(link_of(call))
    await expect(ada.page.get_by_text("Access to the camera is refused.")).to_be_visible()
    await expect(ada.switch("Micro", "Microphone")).to_be_checked()
    await ada.passes_axe()
    await ada.picture("lobby-refused-en-wide")
    await ada.join("Ada")
    await expect(ada.switch("Micro", "Microphone")).to_be_checked()
    await ada.switch("Caméra", "Camera").click()
    await expect(ada.page.get_by_role("alert")).to_contain_text("Access to the camera is refused.")
    await ada.passes_axe()


async def test_with_everything_refused_one_joins_to_listen(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    speaker = await new_guest(call)
    await speaker.join("Ada")
    marie = await new_guest("about:blank", language="fr")
    await refuse(marie, "camera", "microphone")
    await marie.page.goto(link_of(call))
    await expect(marie.page.get_by_text("L’accès au micro est refusé.")).to_be_visible()
    await marie.join("Marie")
    await marie.receives_sound_and_pictures()


async def test_a_missing_camera_is_told(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest("about:blank")
    await ada.page.add_init_script(NO_CAMERA)
    await ada.page.goto(link_of(call))
    await expect(ada.page.get_by_text("No camera was found.")).to_be_visible()
    await ada.join("Ada")


async def test_devices_are_chosen_before_and_during_the_meeting(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    microphone = ada.page.get_by_label("Microphone", exact=True).and_(ada.page.get_by_role("combobox"))
    await expect(microphone.locator("option").nth(1)).to_be_attached()
    await microphone.select_option(index=1)
    chosen = await microphone.input_value()
    await ada.join("Ada", audio_only=True)
    await ada.page.get_by_role("button", name="Devices").click()
    dialog = ada.page.get_by_role("dialog", name="Devices")
    await expect(dialog.get_by_label("Microphone")).to_have_value(chosen)
    await dialog.get_by_label("Microphone").select_option(index=2)
    await ada.passes_axe()
    await ada.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    assert await ada.focused() == "Devices"
