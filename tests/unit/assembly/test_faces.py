"""Which addresses the listeners answer at, by the settings."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from aiohttp import web

import config
from bridge.assembly.faces import internal_face, public_face
from bridge.assembly.keeping import POLL_MS, keep
from bridge.assembly.meetings import open_meetings
from bridge.assembly.native import open_native_calls
from bridge.assembly.neighbours import open_runtime, open_sfu
from bridge.calls.lifecycle import Timings
from tests.unit.assembly.conftest import SFU, VISIO, Load


def paths(face: web.Application) -> set[str]:
    return {resource.canonical for resource in face.router.resources()}


async def faces(
    settings: config.Settings, stack: AsyncExitStack
) -> tuple[web.Application, web.Application | None, Timings]:
    runtime = await open_runtime(settings, stack)
    meetings = open_meetings(settings, await open_sfu(settings, stack), stack)
    keeping = keep(settings, runtime, meetings)
    internal, _ = internal_face(settings, runtime, meetings, keeping)
    return internal, public_face(settings, meetings, keeping), keeping.timings


async def test_with_an_sfu_webhooks_are_taken_and_the_join_page_is_served(
    load: Load, stack: AsyncExitStack
) -> None:
    internal, public, timings = await faces(load(sfu=SFU), stack)
    assert {"/livekit/webhook", "/health/ready", "/metrics"} <= paths(internal)
    assert public is not None
    assert "/call/{id}" in paths(public)
    assert timings.poll_ms is None


async def test_without_webhooks_none_are_taken_and_the_sfu_is_asked_more_often(
    load: Load, stack: AsyncExitStack
) -> None:
    internal, _, timings = await faces(load(sfu={**SFU, "webhooks": False}), stack)
    assert "/livekit/webhook" not in paths(internal)
    assert timings.poll_ms == POLL_MS


async def test_a_clock_that_is_quicker_than_polling_stays(load: Load, stack: AsyncExitStack) -> None:
    settings = load(sfu={**SFU, "webhooks": False}, calls={"clock": "2s"})
    _, _, timings = await faces(settings, stack)
    assert timings.poll_ms == 2_000


async def test_without_an_sfu_there_is_nothing_to_join_here(load: Load, stack: AsyncExitStack) -> None:
    settings = load(visio=VISIO, calls={"provider": "visio"})
    internal, public, _ = await faces(settings, stack)
    assert "/livekit/webhook" not in paths(internal)
    assert public is None


@pytest.mark.parametrize("provider", ["livekit", "visio"])
async def test_meetings_of_ours_can_be_joined_whoever_makes_the_new_ones(
    load: Load, stack: AsyncExitStack, provider: str
) -> None:
    _, public, _ = await faces(load(sfu=SFU, visio=VISIO, calls={"provider": provider}), stack)
    assert public is not None


async def test_native_calls_are_served_where_they_are_enabled(load: Load, stack: AsyncExitStack) -> None:
    settings = load(sfu=SFU, rtc={"enabled": True})
    runtime = await open_runtime(settings, stack)
    meetings = open_meetings(settings, await open_sfu(settings, stack), stack)
    keeping = keep(settings, runtime, meetings)
    native = open_native_calls(settings, runtime, meetings, keeping, stack)
    assert native is not None
    public = public_face(settings, meetings, keeping, native.routes())
    assert public is not None
    assert {"/livekit/sfu/get", "/livekit/get_token", "/livekit/rtc/v1", "/call/{id}"} <= paths(public)


async def test_native_calls_are_off_by_default(load: Load, stack: AsyncExitStack) -> None:
    settings = load(sfu=SFU)
    runtime = await open_runtime(settings, stack)
    meetings = open_meetings(settings, await open_sfu(settings, stack), stack)
    keeping = keep(settings, runtime, meetings)
    assert open_native_calls(settings, runtime, meetings, keeping, stack) is None
