"""Cameras and microphones that are refused, missing or chosen."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from bridge.demo.peers.livekit import LiveKit
from tests.browser.conftest import NewGuest, OpenHouse
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


UNANSWERED = """
(() => {
  const original = MediaDevices.prototype.getUserMedia;
  const answer = new Promise((resolve) => (window.answerTheBrowser = resolve));
  MediaDevices.prototype.getUserMedia = async function (constraints) {
    await answer;
    return original.call(this, constraints);
  };
})();
"""


async def test_who_joins_before_answering_the_browser_is_heard_once_they_answer(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    ada = await new_guest("about:blank")
    await ada.page.add_init_script(UNANSWERED)
    await ada.page.goto(link_of(call))
    await expect(ada.page.get_by_text("Allow the camera and the microphone")).to_be_visible()
    await ada.join("Ada")
    await expect(ada.switch("Micro", "Microphone")).not_to_be_checked()
    await ada.page.evaluate("() => window.answerTheBrowser()")
    await expect(ada.switch("Micro", "Microphone")).to_be_checked()
    await expect(ada.switch("Caméra", "Camera")).to_be_checked()


async def test_a_refused_camera_is_told_and_one_joins_with_the_microphone(
    open_house: OpenHouse, livekit: LiveKit, new_guest: NewGuest
) -> None:
    house = await open_house(livekit, refused=("camera",))
    ada = await new_guest(await house.opens())
    await expect(ada.page.get_by_text("Access to the camera is refused.")).to_be_visible()
    await expect(ada.switch("Micro", "Microphone")).to_be_checked()
    await ada.passes_axe()
    await ada.picture("lobby-refused-en-wide")
    await ada.join("Ada")
    await expect(ada.switch("Micro", "Microphone")).to_be_checked()
    await ada.switch("Caméra", "Camera").click()
    await expect(ada.page.get_by_role("alert")).to_contain_text("Access to the camera is refused.")
    await ada.passes_axe()


async def test_with_everything_refused_one_joins_to_listen(
    open_house: OpenHouse, livekit: LiveKit, new_guest: NewGuest
) -> None:
    house = await open_house(livekit)
    call = await house.opens()
    ada = await new_guest(call)
    await ada.join("Ada")
    house.refused = ("camera", "microphone")
    marie = await new_guest(call, language="fr")
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
