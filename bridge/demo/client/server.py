"""Serves the client and Element Call on loopback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

from bridge.demo.peers.ports import HOST, reserve_port

SMALL_PICTURES: Mapping[str, Any] = {
    "video_codec": "vp8",
    "video": {"max_resolution": 180, "max_bitrate": 150_000, "max_framerate": 8, "simulcast_layers": []},
    "screen_share": {
        "max_resolution": 360,
        "max_bitrate": 200_000,
        "max_framerate": 5,
        "simulcast_layers": [],
    },
}
"""Element Call's ``media_quality`` for many participants on one machine."""


@dataclass(frozen=True, slots=True)
class Login:
    """A device of somebody's Matrix account.

    Attributes:
        homeserver: Its address.
        user_id: Whose it is.
        device_id: The device; of its own for each page.
        access_token: Its key.
    """

    homeserver: str
    user_id: str
    device_id: str
    access_token: str = field(repr=False)


class ClientServer:
    """The web server; ``async with`` starts and stops it.

    Attributes:
        port: Where it listens.
        url: The page, without what it needs to know; see `address`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        mode: str = "compatibility",
        media_quality: Mapping[str, Any] | None = None,
        leave_after_ms: int | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            folder: What ``building.install`` returned.
            port: Where to listen; a free one if not given.
            mode: Element Call's ``matrix_rtc_mode``.
            media_quality: Its ``media_quality``, such as `SMALL_PICTURES`; its own choice if not given.
            leave_after_ms: How long after a crash Element Call's delayed event (MSC4140) takes the person
                out; its own choice, 18 s, if not given.
        """
        self.port = port or reserve_port()
        self.url = f"http://{HOST}:{self.port}/"
        self._folder = folder
        self._config: dict[str, Any] = {
            "matrix_rtc_mode": mode,
            "matrix_rtc_session": {"wait_for_key_rotation_ms": 5000},
        }
        if leave_after_ms is not None:
            timings = {"delay_ms": leave_after_ms, "restart_ms": leave_after_ms // 4}
            self._config["matrix_rtc_session"]["delayed_leave"] = timings
        if media_quality is not None:
            self._config["media_quality"] = media_quality
        self._doors: dict[str, Callable[[], Awaitable[str]]] = {}
        self._runner: web.AppRunner | None = None

    def address(
        self,
        login: Login,
        room_id: str,
        *,
        language: str = "en",
        service_url: str | None = None,
        call: bool = False,
        beside: str | None = None,
    ) -> str:
        """The page for a room. What it needs to know stands in the fragment, which no server sees.

        Args:
            login: Whose page it is.
            room_id: A room that they are in.
            language: ``fr`` or ``en``.
            service_url: Authorization service, if not the one that the homeserver advertises.
            call: Whether to enter the call at once.
            beside: The meetings' pages: their origin, and a query that each is opened with. The one that the
                room's card links to is shown beside the room.
        """
        given = {
            "homeserver": login.homeserver,
            "user": login.user_id,
            "device": login.device_id,
            "token": login.access_token,
            "room": room_id,
            "language": language,
        }
        if service_url is not None:
            given["service"] = service_url
        if call:
            given["call"] = "1"
        if beside is not None:
            given["beside"] = beside
        return f"{self.url}#{urlencode(given)}"

    def door(self, name: str, address: Callable[[], Awaitable[str]]) -> str:
        """A short address that leads to a long one, which is made anew for whoever opens it.

        Args:
            name: The end of the short address; not to be guessed where others can reach the server.
            address: Makes the long one.
        """
        self._doors[name] = address
        return f"{self.url}{name}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/element-call/config.json", self._configuration)
        app.router.add_get("/{door:[^/.]+}", self._open)
        app.router.add_static("/", self._folder)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port, reuse_address=True).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(self._folder / "index.html")

    async def _open(self, request: web.Request) -> web.Response:
        address = self._doors.get(request.match_info["door"])
        if address is None:
            raise web.HTTPNotFound
        # A browser that remembered the answer would come back under a login that is in use elsewhere.
        return web.Response(status=302, headers={"Location": await address(), "Cache-Control": "no-store"})

    async def _configuration(self, _: web.Request) -> web.Response:
        return web.json_response(self._config)
