"""Rooms are spread over a fixed number of shards; a shard belongs to one replica at a time."""

from __future__ import annotations

import zlib

SHARDS = 64
"""How many shards there are: enough to spread over a dozen replicas, few enough to renew in one statement."""


def shard_of(room_id: str) -> int:
    """The shard of a room. Stored with each row, so it must never change between versions."""
    return zlib.crc32(room_id.encode("utf-8", "surrogatepass")) % SHARDS


def fair_share(replicas: int) -> int:
    """How many shards each of so many live replicas holds at most."""
    return -(-SHARDS // max(1, replicas))
