"""Somebody in a Visio meeting who neither speaks nor shows anything."""

from __future__ import annotations

from bridge.demo.silent_guest import SilentGuest
from bridge.demo.visio.tickets import Ticket


class VisioGuest(SilentGuest):
    """One person, or machine; ``async with`` joins and leaves.

    Attributes:
        ticket: What they came in with; see `bridge.demo.visio.tickets`.
        identity: Who they are in the SFU.
    """

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(ticket.name, ticket.sfu_url, ticket.token)
        self.ticket = ticket
        self.identity = ticket.identity
