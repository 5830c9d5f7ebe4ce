"""One browser for the session, a clean context for every guest, and the page on a real SFU."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from bridge.calls.model import Call
from bridge.demo.peers.chromium import ARGUMENTS
from bridge.demo.peers.livekit import LiveKit
from tests.browser.guest import Guest
from tests.browser.house import House, link_of

# A browser lives in one event loop, so the fixtures and tests of this folder share the session's.
fixture = pytest_asyncio.fixture(loop_scope="session")


class NewGuest(Protocol):
    """What the fixture ``new_guest`` is."""

    async def __call__(self, call: Call | str, *, language: str = "en", **context: Any) -> Guest:
        """Open a call's link, or any address, in a clean browser context with these options."""


OpenHouse = Callable[..., Awaitable[House]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_program: Path) -> AsyncIterator[Browser]:
    """The one browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_program,
            # No screen here to share: the browser's own picture of one stands in.
            args=[*ARGUMENTS, "--disable-gpu", "--mute-audio"],
        )
        yield browser
        await browser.close()


@fixture
async def new_guest(browser: Browser) -> AsyncIterator[NewGuest]:
    """Makes guests; their pages are closed after the test."""
    async with AsyncExitStack() as contexts:

        async def make(call: Call | str, *, language: str = "en", **options: Any) -> Guest:
            options.setdefault("viewport", {"width": 1280, "height": 720})
            context = await browser.new_context(locale=language, **options)
            contexts.push_async_callback(context.close)
            link = call if isinstance(call, str) else link_of(call)
            return await Guest.arrive(context, link, language=language)

        yield make


@fixture
async def open_house() -> AsyncIterator[OpenHouse]:
    """Serves the page for a test; keyword arguments as ``House``."""
    async with AsyncExitStack() as houses:

        async def make(livekit: LiveKit, **given: Any) -> House:
            return await houses.enter_async_context(House(livekit, **given))

        yield make


@fixture
async def house(open_house: OpenHouse, livekit: LiveKit) -> House:
    """The page in front of the shared SFU."""
    return await open_house(livekit)
