"""Somebody in Element Call: what they do there, what they see and hear."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, cast

from playwright.async_api import Browser, BrowserContext, Error, Frame, FrameLocator, Page, expect

from bridge.demo.client.login import new_device
from bridge.demo.client.server import ClientServer, Login
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.ports import HOST
from tests.browser.guest import ARTEFACTS, WATCH_CONNECTIONS, Received
from tests.browser.rtc.devices import MEDIA, own_camera
from tests.browser.rtc.patience import PATIENCE, wait_until

FRAME = "element-call"

TILES = """
() => [...document.querySelectorAll("[data-testid=videoTile]")].map((tile) => {
  const video = tile.querySelector("video");
  return {
    name: tile.querySelector("[data-testid=name_tag]")?.textContent ?? "",
    frames: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
    picture: tile.dataset.videoEnabled === "true" && (video?.videoWidth ?? 0) > 0,
    waiting: tile.innerText.includes("Waiting for media"),
  };
})
"""

RECEIVED = """
async () => {
  window.inbound ??= new Map();
  for (const [number, connection] of window.connections.entries()) {
    for (const report of (await connection.getStats()).values()) {
      if (report.type === "inbound-rtp") window.inbound.set(`${number} ${report.id}`, report);
    }
  }
  const received = { frames: 0, sound: 0, energy: 0 };
  for (const report of window.inbound.values()) {
    if (report.kind === "video") received.frames += report.framesDecoded ?? 0;
    if (report.kind === "audio") received.sound += report.packetsReceived ?? 0;
    if (report.kind === "audio") received.energy += report.totalAudioEnergy ?? 0;
  }
  return received;
}
"""
"""What arrived so far. Remembers the statistics of what has ended, so that the sums never shrink."""

VOICES = """
async () => {
  const voices = [];
  for (const connection of window.connections) {
    if (connection.connectionState === "closed") continue;
    for (const report of (await connection.getStats()).values()) {
      if (report.type !== "inbound-rtp" || report.kind !== "audio") continue;
      voices.push([report.trackIdentifier, report.totalAudioEnergy ?? 0]);
    }
  }
  return Object.fromEntries(voices);
}
"""
"""Energy of the sound played so far, by track."""

WATCH_GAPS = """
() => {
  const since = performance.now();
  const fresh = () => ({ longest: 0, since, count: 0 });
  const gaps = { arrived: { audio: fresh(), video: fresh() }, played: { audio: fresh(), video: fresh() } };
  window.gaps = gaps;
  const look = async () => {
    if (window.gaps !== gaps) return;
    const counts = { arrived: { audio: 0, video: 0 }, played: { audio: 0, video: 0 } };
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== "inbound-rtp") continue;
        counts.arrived[report.kind] += report.packetsReceived ?? 0;
        counts.played[report.kind] += report.jitterBufferEmittedCount ?? 0;
      }
    }
    const now = performance.now();
    for (const way of ["arrived", "played"]) {
      for (const kind of ["audio", "video"]) {
        const gap = gaps[way][kind];
        gap.longest = Math.max(gap.longest, now - gap.since);
        // Statistics of a connection that is closed go away with it.
        if (counts[way][kind] !== gap.count) Object.assign(gap, { since: now, count: counts[way][kind] });
      }
    }
    setTimeout(look, 50);
  };
  void look();
}
"""
"""Keeps the longest times in which no sound or no picture arrived, and in which none was played."""

ALL_STATISTICS = """
() => Promise.all(window.connections.map(async (connection) => ({
  state: connection.connectionState,
  sent: connection.getSenders().map(({ track }) => track && [track.kind, track.readyState, track.muted]),
  reports: [...(await connection.getStats()).values()].filter(({ type }) => /rtp$|source$/.test(type)),
})))
"""

_clock = time.monotonic


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture on the screen.

    Attributes:
        name: As it stands on it; Element Call leaves it away on very small ones.
        frames: Video frames shown since the tile is there.
        picture: Whether it shows video rather than an avatar.
        waiting: Whether it says that it waits for media: a membership without a participant.
    """

    name: str
    frames: int
    picture: bool
    waiting: bool


class ElementCall:
    """One page of the demo's client in a browser context of its own, with the call open in it.

    Attributes:
        page: The page; Element Call is in the frame `FRAME`.
        login: The Matrix device behind it.
        requests: Every address that the page and Element Call asked for, WebSockets included.
        console: What they wrote there.
    """

    def __init__(self, page: Page, login: Login) -> None:
        self.page = page
        self.login = login
        self.requests: list[str] = []
        self.console: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.console.append(f"{_clock():.3f} {error.stack or error}"))
        page.on("console", lambda message: self.console.append(f"{_clock():.3f} {message.text}"))

    @classmethod
    async def open(
        cls,
        browser: Browser,
        server: ClientServer,
        user: MatrixUser,
        room_id: str,
        *,
        service_url: str | None = None,
    ) -> Self:
        """Open a room's call on a new device of a user; see `joined`.

        Args:
            browser: Gets a context, closed by `close`.
            server: Serves the client.
            user: Who calls; in the room already.
            room_id: Whose call it is.
            service_url: Authorization service, if not the one that the homeserver advertises.
        """
        context = await browser.new_context(
            locale="en",
            viewport={"width": 1280, "height": 720},
            # Two cores paint for everybody in the call.
            device_scale_factor=0.5,
            reduced_motion="reduce",
            permissions=MEDIA,
        )
        login = await new_device(user)
        call = cls(await context.new_page(), login)
        for script in (WATCH_CONNECTIONS, own_camera()):
            await call.page.add_init_script(script)
        await call.page.goto(server.address(login, room_id, service_url=service_url, call=True))
        return call

    # What they do

    async def joined(self) -> Self:
        """Wait until Element Call is in the call and has sent its membership."""
        leave = self.widget.get_by_test_id("incall_leave")
        await expect(leave).to_be_visible(timeout=PATIENCE * 1000)
        return self

    async def hang_up(self) -> None:
        """Press Element Call's button, and wait until it has closed itself."""
        await self.widget.get_by_test_id("incall_leave").click()
        await expect(self.page.locator(f"iframe[name={FRAME}]")).to_have_count(0, timeout=PATIENCE * 1000)

    async def crash(self) -> None:
        """End the page's process at once; nothing can be sent any more."""
        await crash(self.page)

    async def share_screen(self) -> None:
        """Press the button; the browser chooses what is shared."""
        await self.widget.get_by_test_id("incall_screenshare").click()

    async def stop_sharing(self) -> None:
        """Press the same button again."""
        await self.widget.get_by_test_id("incall_screenshare").click()

    async def close(self) -> None:
        """Close the page as a person does, and its browser context."""
        with suppress(Error):
            # Otherwise the SFU would wait for the page to come back, and for that when it stops.
            await self.page.goto("about:blank")
        await self.context.close()

    # What they see and hear

    @property
    def context(self) -> BrowserContext:
        """The browser context."""
        return self.page.context

    @property
    def widget(self) -> FrameLocator:
        """Element Call."""
        return self.page.frame_locator(f"iframe[name={FRAME}]")

    @property
    def identity(self) -> str:
        """Their identity in the SFU, and in the eyes of other Element Calls."""
        return f"{self.login.user_id}:{self.login.device_id}"

    async def tiles(self) -> list[Tile]:
        """All pictures, their own too."""
        return [Tile(**tile) for tile in cast(list[dict[str, Any]], await self._frame().evaluate(TILES))]

    async def tile(self, name: str) -> Tile | None:
        """The first picture with a name that begins like this."""
        return _called(name, await self.tiles())

    async def sees(self, *names: str) -> None:
        """Wait until there is a running picture with each of these names, and more frames arrive."""
        before: dict[str, int] = {}

        async def all_running() -> bool:
            tiles = await self.tiles()
            found = [_called(name, tiles) for name in names]
            for name, tile in zip(names, found, strict=True):
                if tile is not None and tile.picture:
                    # A tile that was made anew counts anew.
                    before[name] = min(before.get(name, tile.frames), tile.frames)
            return all(
                tile is not None and tile.picture and tile.frames >= before[name] + 3
                for name, tile in zip(names, found, strict=True)
            )

        await wait_until(all_running)

    async def sees_several(self, name: str, count: int) -> None:
        """Wait until there are this many running pictures with the same name."""

        async def all_running() -> bool:
            running = [tile for tile in await self.tiles() if tile.name.startswith(name) and tile.frames >= 3]
            return len(running) == count

        await wait_until(all_running)

    async def sees_nobody_called(self, name: str) -> None:
        """Wait until no picture has this name."""

        async def gone() -> bool:
            return await self.tile(name) is None

        await wait_until(gone)

    async def sees_only(self, *names: str) -> None:
        """Wait until there is one picture for each of these names, and no other."""

        async def nobody_else() -> bool:
            return sorted(tile.name for tile in await self.tiles()) == sorted(names)

        await wait_until(nobody_else)

    async def watch_gaps(self) -> None:
        """Begin, or begin anew, to measure how long nobody is heard or seen; see `longest_gap_ms`."""
        await self._frame().evaluate(WATCH_GAPS)

    async def longest_gap_ms(self, *kinds: Literal["audio", "video"], played: bool = True) -> float:
        """The longest time without one of these kinds of media, since `watch_gaps`.

        Args:
            kinds: Both if none is named.
            played: Counts what Element Call plays and shows; else what arrives.
        """
        script = "([way, kinds]) => Math.max(...kinds.map((kind) => window.gaps[way][kind].longest))"
        wanted = ["played" if played else "arrived", kinds or ("audio", "video")]
        return cast(float, await self._frame().evaluate(script, wanted))

    async def peer_connections(self) -> int:
        """How many WebRTC connections Element Call has made so far."""
        return cast(int, await self._frame().evaluate("() => window.connections.length"))

    async def ice_servers(self) -> list[Any]:
        """Every list of ICE servers that one of them was given."""
        return cast(list[Any], await self._frame().evaluate("() => window.iceServersAsked"))

    def foreign_requests(self) -> list[str]:
        """Requests to anything but this machine's loopback."""
        ours = tuple(
            f"{scheme}://{host}:" for scheme in ("http", "https", "ws") for host in (HOST, "localhost")
        )
        return [url for url in self.requests if not url.startswith((*ours, "blob:", "data:"))]

    async def received(self) -> Received:
        """What was decoded so far, from everybody."""
        return Received(**await self._frame().evaluate(RECEIVED))

    async def hears(self, voices: int = 1) -> None:
        """Wait until the sound of so many people is audible, counted from now."""
        before: dict[str, float] = await self._frame().evaluate(VOICES)

        async def heard() -> bool:
            now: dict[str, float] = await self._frame().evaluate(VOICES)
            return sum(energy > before.setdefault(track, energy) for track, energy in now.items()) >= voices

        await wait_until(heard)

    async def picture(self, name: str) -> None:
        """Keep a screenshot among the artefacts."""
        await self.page.screenshot(path=ARTEFACTS / "element-call" / f"{name}.png")

    async def keep_evidence(self, test: str) -> None:
        """Keep picture and console of a failed test among the artefacts."""
        folder = ARTEFACTS / "element-call" / test
        folder.mkdir(parents=True, exist_ok=True)
        name = self.login.user_id[1:].partition(":")[0]
        (folder / f"{name}.log").write_text("\n".join(self.console))
        with suppress(Error, AssertionError):  # it may have crashed, as some tests want it to
            await self.page.screenshot(path=folder / f"{name}.png")
            statistics = await self._frame().evaluate(ALL_STATISTICS)
            shown = {"tiles": [asdict(tile) for tile in await self.tiles()], "connections": statistics}
            (folder / f"{name}.json").write_text(json.dumps(shown, indent=1))

    def _frame(self) -> Frame:
        frame = self.page.frame(name=FRAME)
        assert frame is not None, "Element Call is closed"
        return frame


def _called(name: str, tiles: list[Tile]) -> Tile | None:
    """The first picture with a name that begins like this."""
    return next((tile for tile in tiles if tile.name.startswith(name)), None)


async def crash(page: Page) -> None:
    """End a page's process."""
    devtools = await page.context.new_cdp_session(page)
    async with page.expect_event("crash"):
        # Who has crashed does not answer any more.
        unanswered = asyncio.ensure_future(devtools.send("Page.crash"))
    unanswered.cancel()
    with suppress(asyncio.CancelledError, Error):
        await unanswered
