"""``python -m bridge.demo.visio``: a stand-in for Visio in front of a LiveKit that runs already."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from bridge.demo.visio.public import SfuAddress
from bridge.demo.visio.stand_in import SERVICE_EMAIL, StandIn

_ENDS = {signal.SIGINT, signal.SIGTERM}


def main() -> int:
    """Serve until Ctrl-C or SIGTERM; says first what the bridge has to be told."""
    parser = argparse.ArgumentParser(prog="python -m bridge.demo.visio", description=__doc__)
    parser.add_argument("--port", type=int, help="where to listen; a free one if not given")
    parser.add_argument("--livekit", default="ws://127.0.0.1:7880", help="address of LiveKit for browsers")
    parser.add_argument("--livekit-api", help="address of LiveKit for servers, if it is another one")
    parser.add_argument("--key", default="devkey", help="LiveKit's API key; its secret is in LIVEKIT_SECRET")
    parser.add_argument(
        "--user", action="append", default=[], metavar="E-MAIL", help="somebody with an account"
    )
    given = parser.parse_args()
    secret = os.environ.get("LIVEKIT_SECRET")
    if secret is None:
        print("Set LIVEKIT_SECRET to the secret of LiveKit's key.", file=sys.stderr)
        return 2
    # Before the server's thread starts, so that it blocks them too and they are ours to wait for.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    api_url = given.livekit_api or "http" + given.livekit.removeprefix("ws")
    with StandIn(SfuAddress(given.livekit, api_url, given.key, secret), port=given.port) as visio:
        for email in given.user:
            visio.world.add_user(email)
        print(
            "visio:\n"
            f"  url: {visio.url}\n"
            f"  client_id: {visio.application.client_id}\n"
            f"  client_secret: {visio.application.client_secret}\n"
            f"  service_email: {SERVICE_EMAIL}\n"
            f"# accounts: {', '.join([SERVICE_EMAIL, *given.user])}",
            flush=True,
        )
        signal.sigwait(_ENDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
