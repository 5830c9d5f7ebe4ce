"""The demo as a newcomer sees it: Element Call and Visio in one window, in one meeting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, FrameLocator, Page, expect

from bridge.demo.peers.ports import HOST
from tests.browser.guest import WATCH_CONNECTIONS
from tests.browser.pictures import picture_file, portraits
from tests.support.demo import demo, lines_until
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

PATIENCE_MS = 60_000

HEARD = """
async () => {
  let energy = 0;
  for (const connection of window.connections) {
    for (const report of (await connection.getStats()).values()) {
      if (report.type === "inbound-rtp") energy += report.totalAudioEnergy ?? 0;
    }
  }
  return energy;
}
"""

RUNNING = "() => [...document.querySelectorAll('video')].filter((video) => video.videoWidth > 0).length"


class Side:
    """One of the two clients in the window."""

    def __init__(self, page: Page, name: str) -> None:
        self.inside: FrameLocator = page.frame_locator(f"iframe[name={name}]")
        self._page = page
        self._name = name

    async def sees(self, pictures: int) -> None:
        """Wait until so many pictures run."""

        async def running() -> bool:
            return bool(await self._ask(RUNNING) == pictures)

        await until(running, timeout=60, poll=0.2)

    async def hears(self) -> None:
        """Wait until more sound arrives."""
        before = await self._ask(HEARD)

        async def more() -> bool:
            return bool(await self._ask(HEARD) > before)

        await until(more, timeout=60, poll=0.2)

    async def ice_hosts(self) -> set[str]:
        """Where its connections may ask for their own address."""
        told = await self._ask("() => JSON.stringify(window.iceServersAsked)")
        return set(re.findall(r'"(?:stun|turn)s?:([^:"]+)', told))

    async def _ask(self, script: str) -> Any:
        frame = self._page.frame(self._name)
        assert frame is not None
        return await frame.evaluate(script)


async def test_the_address_that_the_demo_prints_shows_both_clients_in_one_meeting(
    tmp_path: Path, browser: Browser
) -> None:
    async with demo(tmp_path) as process:
        printed = await lines_until(process, "Ctrl-C stops everything.")
        address = re.search(rf"http://{HOST}:\d+/alice-\w+", printed)
        assert address, printed
        context = await browser.new_context(
            locale="fr", viewport={"width": 1280, "height": 680}, permissions=["camera", "microphone"]
        )
        page = await context.new_page()
        for script in (WATCH_CONNECTIONS, portraits()):
            await page.add_init_script(script)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        await page.goto(address[0])
        room, matrix, visio = page.get_by_role("log"), Side(page, "element-call"), Side(page, "visio")
        await expect(room).to_contain_text("Visio ouverte : Point budget", timeout=PATIENCE_MS)

        await visio.inside.get_by_role("button", name="Rejoindre").click(timeout=PATIENCE_MS)
        await page.get_by_role("button", name="Appeler").click()
        await matrix.inside.get_by_test_id("lobby_joinCall").click(timeout=PATIENCE_MS)
        await visio.inside.get_by_role("button", name="Allumer le son").click(timeout=PATIENCE_MS)
        await matrix.sees(2)
        await visio.sees(2)
        await matrix.hears()
        await visio.hears()
        names = matrix.inside.get_by_test_id("name_tag")
        await expect(names.filter(has_text="Denis Petit")).to_be_visible(timeout=PATIENCE_MS)
        await expect(visio.inside.get_by_role("listitem").filter(has_text="Alice")).to_be_visible()
        await expect(room).to_contain_text("2 personnes : Denis Petit et Alice.", timeout=PATIENCE_MS)
        results = await Axe().run(page, context={"exclude": [["iframe"]]})
        assert results.violations_count == 0, results.generate_report()
        await page.screenshot(path=picture_file("both-clients"))
        assert await matrix.ice_hosts() | await visio.ice_hosts() <= {HOST}

        await page.get_by_label("Message", exact=True).fill("!visio fin")
        await page.get_by_role("button", name="Envoyer").click()
        await expect(room).to_contain_text("Visio terminée : Point budget", timeout=PATIENCE_MS)
        await expect(page.get_by_text("Aucune réunion n’est ouverte.")).to_be_visible(timeout=PATIENCE_MS)
        here = re.compile(rf"(http|ws)s?://({HOST}:|localhost/)|blob:|data:")
        assert not [url for url in asked if not here.match(url)]
        await page.goto("about:blank")
        await context.close()
