"""The page that a person gets at a meeting's link: plain, but it has camera, microphone and names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bridge.demo.visio.answers import HTML, Answer, Asked
from bridge.demo.visio.public import SESSION_COOKIE
from bridge.demo.visio.world import User, World

_PAGE = Path(__file__).with_name("page.html")
_SCRIPT = (
    Path(__file__).parents[2]
    / "web"
    / "page"
    / "node_modules"
    / "livekit-client"
    / "dist"
    / "livekit-client.umd.js"
)


def page(asked: Asked, world: World, log_in: Callable[[User], str]) -> Answer | None:
    """What is served outside of the two APIs; like Visio's page, everything that is not a file.

    ``?account=E-MAIL`` stands for logging in: the browser is logged in from then on. The page itself knows
    ``name``, ``lang``, and ``quiet``: begin without sound and microphone.
    """
    if asked.path == "/livekit-client.js":
        # It comes with the join page's packages; without them the page says so.
        return Answer(200, _SCRIPT.read_bytes(), "text/javascript") if _SCRIPT.exists() else None
    if "." in asked.path:
        return None
    user = world.user_by_email(asked.query.get("account", ""))
    cookies = {} if user is None else {SESSION_COOKIE: log_in(user)}
    return Answer(200, _PAGE.read_bytes(), HTML, cookies=cookies)
