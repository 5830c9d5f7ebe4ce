"""How long from joining in the SFU to the name on the card, against a webhook's arrival and one edit."""

from __future__ import annotations

import time

import aiohttp
from livekit import rtc

from bridge.demo.matrix_user import Event, MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.sfu.client import Sfu, now_ms
from bridge.sfu.tokens import ApiKey, JoinPass, join_token
from tests.benchmarks.report import Row, Target, milliseconds, progress, ratio
from tests.benchmarks.rooms import names_on, open_call, rooms_with
from tests.benchmarks.stopwatch import PATIENCE_S, sight
from tests.benchmarks.world import KINDS, World

PAIRS = 30
TARGET = Target("≤", 1.5)
_WARM_UP = 2


async def measure(world: World) -> list[Row]:
    """See the module.

    Each measurement is the first join of a call of its own, so that no card has to save its edits. Time
    runs from the moment at which the participant's SDK says that it is connected.
    """
    raise NotImplementedError
