"""Somebody in Visio: a bare livekit-client in a page, with an identity that means nothing to Matrix."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from playwright.async_api import Browser, Error, Page

from bridge.demo.client.server import ClientServer
from tests.browser.guest import WATCH_CONNECTIONS
from tests.browser.rtc.devices import MEDIA, own_camera
from tests.browser.rtc.element_call import crash
from tests.browser.rtc.patience import wait_until


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the page has decoded from one participant.

    Attributes:
        name: Of the participant in the SFU.
        frames: Video frames of the camera.
        sound: Audio packets.
        energy: Audio energy; zero for silence.
        screen: Video frames of a shared screen.
    """

    name: str
    frames: int
    sound: int
    energy: float
    screen: int


class VisioPage:
    """One page in a browser context of its own, in the meeting with camera and microphone.

    Attributes:
        page: The page.
        identity: In the SFU.
    """

    def __init__(self, page: Page, identity: str) -> None:
        self.page = page
        self.identity = identity

    @classmethod
    async def join(cls, browser: Browser, server: ClientServer, sfu_url: str, token: str) -> Self:
        """Join a room of the SFU, and publish camera and microphone.

        Args:
            browser: Gets a context, closed by `close`.
            server: Serves the page.
            sfu_url: What browsers reach.
            token: Opens a room; it says who they are there.
        """
        context = await browser.new_context(viewport={"width": 640, "height": 360}, permissions=MEDIA)
        page = await context.new_page()
        for script in (WATCH_CONNECTIONS, own_camera()):
            await page.add_init_script(script)
        await page.goto(f"{server.url}visio.html")
        await page.wait_for_function("() => window.visio !== undefined")
        identity = await page.evaluate("([url, token]) => window.visio.join(url, token)", [sfu_url, token])
        return cls(page, identity)

    async def leave(self) -> None:
        """Say goodbye to the SFU."""
        await self.page.evaluate("() => window.visio.leave()")

    async def share_screen(self, on: bool = True) -> None:
        """Begin or stop; the browser chooses what is shared."""
        await self.page.evaluate("(on) => window.visio.shareScreen(on)", on)

    async def crash(self) -> None:
        """End the page's process at once: no goodbye."""
        await crash(self.page)

    async def close(self) -> None:
        """Close the page as a person does, and its browser context."""
        with suppress(Error):
            await self.page.goto("about:blank")
        await self.page.context.close()

    async def arrived(self) -> dict[str, Arrived]:
        """What has been decoded from everybody else, by SFU identity."""
        found = await self.page.evaluate("() => window.visio.arrived()")
        return {identity: Arrived(**arrived) for identity, arrived in found.items()}

    async def sees_and_hears(self, *identities: str) -> None:
        """Wait until frames and audible sound of each of these arrive, counted from now."""
        before = await self.arrived()

        async def all_there() -> bool:
            now = await self.arrived()
            for identity, arrived in now.items():
                if identity in before and arrived.energy < before[identity].energy:
                    before[identity] = arrived  # a new connection counts anew
            return all(_more(before.get(identity), now.get(identity)) for identity in identities)

        await wait_until(all_there)

    async def sees_screen_of(self, identity: str) -> None:
        """Wait until frames of their shared screen arrive."""

        async def there() -> bool:
            arrived = (await self.arrived()).get(identity)
            return arrived is not None and arrived.screen > 0

        await wait_until(there)

    async def is_with(self, *identities: str) -> None:
        """Wait until the others are exactly these."""

        async def so() -> bool:
            return set(await self.arrived()) == set(identities)

        await wait_until(so)


def _more(before: Arrived | None, now: Arrived | None) -> bool:
    if now is None:
        return False
    frames, sound, energy = (before.frames, before.sound, before.energy) if before else (0, 0, 0.0)
    return now.frames >= frames + 3 and now.sound >= sound + 10 and now.energy > energy
