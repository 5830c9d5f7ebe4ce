"""Which STUN and TURN servers clients are told of.

Without configuration LiveKit names STUN servers of Google and Twilio, which would learn the address of
everybody who meets. Nobody is sent to a host that the administrator did not name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from livekit.protocol.rtc import ICEServer

from bridge.sfu.model import IceServer

_RELAYS = ("turn:", "turns:")


def named_by_admin(offered: Iterable[ICEServer], configured: Sequence[IceServer]) -> list[ICEServer]:
    """The servers to hand out instead of those that the SFU offers.

    Those of the settings if there are any. Otherwise the SFU's own relays, which are there only if its
    configuration names them and whose credentials it makes anew each time; never its STUN servers, which
    nobody needs to reach an SFU with a public address.
    """
    if configured:
        return [
            ICEServer(urls=server.urls, username=server.username, credential=server.credential)
            for server in configured
        ]
    kept = []
    for server in offered:
        urls = [url for url in server.urls if url.startswith(_RELAYS)]
        if urls:
            kept.append(ICEServer(urls=urls, username=server.username, credential=server.credential))
    return kept
