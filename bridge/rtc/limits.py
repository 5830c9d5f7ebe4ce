"""What the gateway allows, whoever asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the gateway; sizes in bytes.

    Attributes:
        frame_up: Largest frame that a client may send. Session descriptions are the largest real ones.
        frame_down: Largest frame that the SFU may send: the list of everybody in a large room.
        connections: How many may be open at once.
        connections_per_user: How many of them may be one user's, over all devices and rooms. Element
            Call opens its socket twice at the start.
        connect_ms: How long the SFU may take to accept a connection.
        close_ms: How long either side may take to close one.
        idle_ms: How long a client may be silent; clients of LiveKit say something every few seconds.
        stall_ms: How long a side may refuse to take a frame.
        settle_ms: How long a client may take to have media, before it is moved all the same. LiveKit's
            clients give up after as long.
        move_ms: How long the SFU may take to let somebody leave, when they are moved.
        pass_ttl_ms: How long a renewed pass opens the gateway.
    """

    frame_up: int = 1024 * 1024
    frame_down: int = 8 * 1024 * 1024
    connections: int = 10_000
    connections_per_user: int = 24
    connect_ms: int = 15_000
    close_ms: int = 3_000
    idle_ms: int = 120_000
    stall_ms: int = 30_000
    settle_ms: int = 15_000
    move_ms: int = 2_000
    pass_ttl_ms: int = 3_600_000


MOST_ADDRESS = 64 * 1024
"""Longest request line, in bytes, that the listener of the gateway must take (aiohttp's
``max_line_size``): ``join_request`` is part of it, and holds a session description."""
