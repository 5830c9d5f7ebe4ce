"""``passerelle demo``: the whole story on servers of its own, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import aiohttp
import pytest

from bridge.demo.peers import guard
from bridge.demo.peers.passerelle import PROGRAM
from bridge.demo.visio.stand_in import SERVICE_EMAIL, StandIn
from tests.support.demo import demo, lines_until, said_by
from tests.support.waiting import alive, until

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("place", ["stand-in", "none"])
async def test_the_headless_demo_plays_the_story_to_its_end(tmp_path: Path, place: str) -> None:
    async with demo(tmp_path, "--headless", "--visio", place) as process:
        output = await said_by(process)
    assert process.returncode == 0, output
    assert ("Enregistrement en cours." in output) == (place == "stand-in")
    assert "Visio ouverte : Point budget" in output
    assert "Visio en cours : Point budget" in output
    assert "Visio terminée : Point budget" in output
    received = re.findall(r"(\w+)[ \w]* received from (\w+)[ \w]* \d+ frames of sound and", output)
    # First by the link, then natively in the same meeting, then natively first and in a meeting afterwards.
    meetings = [
        ("Chloé", "Denis"),
        ("Alice", "Chloé"),
        ("Alice", "Denis"),
        ("Bob", "Alice"),
        ("Denis", "Bob"),
    ]
    assert {pair for one, other in meetings for pair in ((one, other), (other, one))} <= set(received)
    assert os.listdir(tmp_path) == []


async def test_the_demo_takes_a_visio_that_runs_somewhere_and_ctrl_c_stops_the_rest(
    tmp_path: Path, visio: StandIn
) -> None:
    environment = {
        "PASSERELLE_VISIO__CLIENT_ID": visio.application.client_id,
        "PASSERELLE_VISIO__CLIENT_SECRET": visio.application.client_secret,
        "PASSERELLE_VISIO__SERVICE_EMAIL": SERVICE_EMAIL,
    }
    async with demo(tmp_path, "--visio", visio.url, environment=environment) as process:
        output = await lines_until(process, "Ctrl-C stops everything.")
        link = re.search(r"Rejoindre la visio : (\S+/[a-z]{3}-[a-z]{4}-[a-z]{3})", output)
        assert link, output
        assert link[1].startswith(f"{visio.url}/")
        async with aiohttp.ClientSession() as session, session.get(link[1]) as page:
            assert page.status == 200
        output += await ends_with_all_its_family(process, signal.SIGINT)
    assert visio.application.client_secret not in output
    assert os.listdir(tmp_path) == []


async def test_without_credentials_the_demo_says_where_to_put_them(tmp_path: Path) -> None:
    async with demo(tmp_path, "--visio", "https://visio.example.org") as process:
        output = await said_by(process)
    assert process.returncode == 2
    assert "PASSERELLE_VISIO__CLIENT_ID, PASSERELLE_VISIO__CLIENT_SECRET" in output
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_demo_that_is_told_to_end_while_it_starts_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with demo(tmp_path) as process:
        await lines_until(process, "The bridge starts")
        await ends_with_all_its_family(process, number)
    assert os.listdir(tmp_path) == []


async def ends_with_all_its_family(process: asyncio.subprocess.Process, number: signal.Signals) -> str:
    """Send a signal; answers what is printed after it."""
    family = guard.descendants(process.pid)
    assert len(family) >= 3
    process.send_signal(number)
    rest = await said_by(process)
    assert process.returncode == 0, rest
    await until(lambda: not any(alive(pid) for pid in family))
    return rest


async def test_a_demo_that_nobody_reads_any_more_leaves_nothing_behind(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    folder, errors = tmp_path / "data", tmp_path / "errors"
    folder.mkdir()
    with errors.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(str(PROGRAM), "demo", "--headless"),
            stdout=writing,
            stderr=stderr,
            env={**os.environ, "TMPDIR": str(folder)},
        )
    os.close(writing)
    try:
        # As in “passerelle demo | head -n 1”: the servers are starting when the reader goes.
        with os.fdopen(reading, "rb") as pipe:
            assert await asyncio.to_thread(pipe.readline)
        family = guard.descendants(process.pid)
        assert await asyncio.wait_for(process.wait(), 60) == 1
    finally:
        if process.returncode is None:
            guard.kill_all(process.pid)
            await process.wait()
    assert os.listdir(folder) == []
    assert "Traceback" not in errors.read_text()
    await until(lambda: not any(alive(pid) for pid in family))
