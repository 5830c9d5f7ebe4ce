"""``/health/ready`` and the first lines of the log, against a real homeserver and a real SFU."""

from __future__ import annotations

from typing import Any

import aiohttp

from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge


async def asked(bridge: LocalBridge, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{bridge.internal_url}{path}") as response:
        if response.content_type == "application/json":
            return response.status, await response.json()
        return response.status, await response.text()


async def test_a_running_bridge_says_where_it_listens_and_that_all_is_well(bridge: LocalBridge) -> None:
    assert await asked(bridge, "/health/ready") == (
        200,
        {"ready": True, "database": "ok", "homeserver": "ok", "sfu": "ok"},
    )
    assert await asked(bridge, "/health/live") == (200, {"alive": True})
    (line, *_) = [line for line in bridge.log_file.read_text().splitlines() if " running " in line]
    for where in (bridge.internal_url, bridge.public_url):
        assert where.removeprefix("http://") in line
    assert f"public_url={bridge.public_url}" in line


async def test_neighbours_that_refuse_us_are_told_from_those_that_are_away(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(
        {"appservice": {"as_token": "unknown", "hs_token": "other"}, "sfu": {"secret": "w" * 32}}
    )
    await bridge.start()
    status, body = await asked(bridge, "/health/ready")
    assert (status, body["homeserver"], body["sfu"]) == (200, "refuses", "refuses")
    assert "app_service_config_files" in body["advice"]["homeserver"]
    assert "sfu.secret" in body["advice"]["sfu"]
    _, metrics = await asked(bridge, "/metrics")
    assert "passerelle_homeserver_up 0.0" in metrics
    assert "passerelle_sfu_up 0.0" in metrics
    await bridge.stop()
    log = bridge.log_file.read_text()
    assert "peer.refuses" in log
    assert "w" * 32 not in log

    bridge.settings["sfu"]["api_url"] = "http://127.0.0.1:9"
    bridge.settings["homeserver"]["url"] = "http://127.0.0.1:9"
    await bridge.start()
    status, body = await asked(bridge, "/health/ready")
    assert (status, body["homeserver"], body["sfu"]) == (200, "away", "away")
    assert "sfu.api_url" in body["advice"]["sfu"]
