from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

import config
from bridge.assembly.errors import CannotStart
from bridge.assembly.meetings import Meetings, open_meetings
from bridge.assembly.neighbours import open_sfu
from bridge.calls.ports import NoLinks
from tests.unit.assembly.conftest import SFU, VISIO, Load

LINK = "https://visio.example.org/abc-defg-hij"


async def meetings(settings: config.Settings, stack: AsyncExitStack) -> Meetings:
    return open_meetings(settings, await open_sfu(settings, stack), stack)


async def test_both_providers_stand_side_by_side(load: Load, stack: AsyncExitStack) -> None:
    made = await meetings(load(sfu=SFU, visio=VISIO), stack)
    assert set(made.providers) == {"livekit", "visio"}
    assert made.links.read(LINK) == LINK


async def test_without_visio_no_link_is_followed(load: Load, stack: AsyncExitStack) -> None:
    made = await meetings(load(sfu=SFU), stack)
    assert set(made.providers) == {"livekit"}
    assert isinstance(made.links, NoLinks)
    assert (made.links.read(LINK), made.links.find(LINK)) == (None, ())


async def test_without_an_sfu_visio_gives_links_alone(load: Load, stack: AsyncExitStack) -> None:
    made = await meetings(load(visio=VISIO, calls={"provider": "visio"}), stack)
    assert set(made.providers) == {"visio"}
    assert made.sfu is None


async def test_only_where_the_link_is_ours_does_a_meeting_stay_ended(
    load: Load, stack: AsyncExitStack
) -> None:
    made = await meetings(load(sfu=SFU, visio=VISIO), stack)
    assert set(made.token_ttl_ms) == {"livekit"}


@pytest.mark.parametrize("provider", ["livekit", "visio"])
async def test_the_provider_of_new_meetings_needs_its_section(
    load: Load, stack: AsyncExitStack, provider: str
) -> None:
    settings = load(sfu=SFU, visio=VISIO)
    section = {"livekit": "sfu", "visio": "visio"}[provider]
    lacking = settings.model_copy(
        update={section: None, "calls": settings.calls.model_copy(update={"provider": provider})}
    )
    with pytest.raises(CannotStart, match=f"{provider} needs the section {section}"):
        await meetings(lacking, stack)
