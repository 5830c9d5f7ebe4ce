"""Somebody at the join page: what a person does there, and what reaches them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import BrowserContext, Locator, Page, expect

from bridge.demo.peers.ports import HOST
from tests.support.waiting import until

ARTEFACTS = Path(__file__).parents[2] / ".artefacts"

WATCH_CONNECTIONS = """
(() => {
  const Original = window.RTCPeerConnection;
  window.connections = [];
  window.iceServersAsked = [];
  window.RTCPeerConnection = class extends Original {
    constructor(configuration, ...rest) {
      super(configuration, ...rest);
      window.connections.push(this);
      window.iceServersAsked.push(configuration?.iceServers ?? null);
    }
    setConfiguration(configuration) {
      window.iceServersAsked.push(configuration?.iceServers ?? null);
      return super.setConfiguration(configuration);
    }
  };
})();
"""
"""Keeps every WebRTC connection of the page, and every list of ICE servers that it was given."""

RECEIVED = """
async () => {
  const received = { frames: 0, sound: 0, energy: 0 };
  for (const connection of window.connections) {
    for (const report of (await connection.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      if (report.kind === "video") received.frames += report.framesDecoded ?? 0;
      if (report.kind === "audio") received.sound += report.packetsReceived ?? 0;
      if (report.kind === "audio") received.energy += report.totalAudioEnergy ?? 0;
    }
  }
  return received;
}
"""

SMALL_CAMERA = """
(() => {
  const original = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = function (constraints) {
    if (constraints?.video) {
      const given = constraints.video === true ? {} : constraints.video;
      constraints = { ...constraints, video: { ...given, width: 320, height: 180, frameRate: 8 } };
    }
    return original.call(this, constraints);
  };
})();
"""
"""A small and slow picture: two browsers' worth of video encoding must fit on two cores."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a page decoded so far, over all its connections.

    Attributes:
        frames: Video frames decoded.
        sound: Audio packets received.
        energy: Audio energy played; zero for silence.
    """

    frames: int
    sound: int
    energy: float


class Guest:
    """One page in a browser context of its own."""

    def __init__(self, page: Page, language: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.console: list[str] = []
        self._fr = language == "fr"
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("console", lambda message: self.console.append(message.text))

    @classmethod
    async def arrive(cls, context: BrowserContext, link: str, *, language: str = "en") -> Guest:
        """Open a link in a new page of this context."""
        guest = cls(await context.new_page(), language)
        await guest.page.add_init_script(WATCH_CONNECTIONS)
        await guest.page.add_init_script(SMALL_CAMERA)
        await guest.page.goto(link)
        return guest

    def say(self, french: str, english: str) -> str:
        """The word of this guest's language."""
        return french if self._fr else english

    # What they do

    async def join(self, name: str, *, audio_only: bool = False) -> None:
        """Give a name, press the button, and wait to be in."""
        await self.page.get_by_label(self.say("Votre nom", "Your name")).fill(name)
        label = self.say("Rejoindre", "Join")
        if audio_only:
            label = self.say("Rejoindre avec le son seul", "Join with audio only")
        await self.page.get_by_role("button", name=label, exact=True).click()
        await self.in_meeting()

    async def in_meeting(self) -> None:
        """Wait until connected."""
        await expect(self.tile(f"({self.say('vous', 'you')})")).to_be_visible(timeout=20_000)

    async def leave(self) -> None:
        """Press the button and see the view after."""
        await self.page.get_by_role("button", name=self.say("Quitter", "Leave"), exact=True).click()
        await self.sees_title(self.say("Vous avez quitté la réunion", "You left the meeting"))

    # What they see

    def tile(self, name: str) -> Locator:
        """The pictures that carry this name or part of it."""
        return self.page.get_by_role("listitem").filter(has_text=name)

    def switch(self, french: str, english: str) -> Locator:
        """A switch by its label."""
        return self.page.get_by_role("switch", name=self.say(french, english))

    async def sees_title(self, title: str) -> None:
        """Wait for a view by its heading."""
        await expect(self.page.get_by_role("heading", level=1, name=title)).to_be_visible(timeout=20_000)

    async def hears(self, sentence: str) -> None:
        """Wait until a screen reader is told this sentence."""
        await expect(self.page.get_by_test_id("announcements")).to_contain_text(sentence, timeout=20_000)

    async def focused(self) -> str:
        """What the focus is on: its accessible text."""
        script = "() => document.activeElement.ariaLabel ?? document.activeElement.innerText"
        return cast(str, await self.page.evaluate(script))

    async def received(self) -> Received:
        """What was decoded so far."""
        return Received(**await self.page.evaluate(RECEIVED))

    async def receives_sound_and_pictures(self) -> None:
        """Wait until video frames and audible sound have been decoded."""

        async def both() -> bool:
            got = await self.received()
            return got.frames >= 3 and got.sound >= 10 and got.energy > 0

        await until(both, timeout=20, poll=0.1)

    async def ice_servers(self) -> list[Any]:
        """Every list of ICE servers that a connection of this page was given."""
        return cast(list[Any], await self.page.evaluate("() => window.iceServersAsked"))

    async def passes_axe(self) -> None:
        """Check the current view with axe, every rule it has."""
        results = await Axe().run(self.page)
        assert results.violations_count == 0, results.generate_report()

    async def picture(self, name: str) -> None:
        """Keep a screenshot among the artefacts."""
        await self.page.screenshot(path=ARTEFACTS / "join-page" / f"{name}.png")

    def foreign_requests(self, *allowed: str) -> list[str]:
        """Requests to anywhere but these ports of this machine."""
        ours = tuple(f"{scheme}://{HOST}:{port}/" for port in allowed for scheme in ("http", "ws"))
        return [url for url in self.requests if not url.startswith((*ours, "blob:", "data:"))]
