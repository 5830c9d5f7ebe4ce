"""``python -m bridge.demo.visio``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import aiohttp
import yaml

from bridge.demo.visio.stand_in import SERVICE_EMAIL

PROGRAM = (sys.executable, "-m", "bridge.demo.visio")


async def test_it_says_what_the_bridge_has_to_be_told_and_ends_on_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *("--user", "ada@stand-in.example"),
        env={**os.environ, "LIVEKIT_SECRET": "a-secret-of-at-least-32-characters-"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        lines = [(await process.stdout.readline()).decode() for _ in range(5)]
        told = yaml.safe_load("".join(lines))["visio"]
        body = {
            "client_id": told["client_id"],
            "client_secret": told["client_secret"],
            "grant_type": "client_credentials",
            "scope": "ada@stand-in.example",
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{told['url']}/external-api/v1.0/application/token/", json=body) as response,
        ):
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert SERVICE_EMAIL in lines[-1]


async def test_without_the_sfus_secret_it_says_where_to_put_it() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LIVEKIT_SECRET"}
    process = await asyncio.create_subprocess_exec(*PROGRAM, env=environment, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"LIVEKIT_SECRET" in said
