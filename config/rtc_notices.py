"""What native calls need beside these settings."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Notice
from config.settings import Settings


def rtc_notices(settings: Settings) -> Iterator[Notice]:
    """What the homeserver has to say, where native calls are enabled."""
    if not settings.rtc.enabled or settings.web.public_url is None:
        return
    address = f"{settings.web.public_url.rstrip('/')}/livekit"
    yield Notice(
        "rtc.enabled",
        f"Clients find the bridge only where the homeserver names it: {address}.",
        "In Synapse's homeserver.yaml: matrix_rtc.transports: [{type: livekit, livekit_service_url:"
        f' "{address}"}}], experimental_features: {{msc4143_enabled: true, msc4222_enabled: true}},'
        " max_event_delay_duration: 24h; and power level 0 for org.matrix.msc3401.call.member in rooms. To"
        " fall back: rtc.gateway: false. See docs/native-calls.md.",
    )
