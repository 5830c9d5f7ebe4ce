"""Who is shown under which SFU identity to the people behind the gateway."""

from __future__ import annotations

from typing import Protocol


class Names(Protocol):
    """The translation for one SFU room.

    It must be a one-to-one mapping: what `shown` gives for one participant it gives for no other,
    and `real` leads back. It may change in the course of a call; the gateway is then told to look
    again (`bridge.rtc.gateway.Gateway.names_changed`).
    """

    def shown(self, identity: str) -> str | None:
        """The identity that people behind the gateway see for an SFU participant.

        Identities that need no translation come back as they are. None for somebody who must stay
        unseen: they are left out wherever participants are listed.
        """

    def real(self, identity: str) -> str:
        """The SFU identity behind a shown one; what is not a shown one comes back as it is."""


class AsTheyAre:
    """Nobody needs translation: a room in which all are native participants."""

    def shown(self, identity: str) -> str | None:
        """See `Names`."""
        return identity

    def real(self, identity: str) -> str:
        """See `Names`."""
        return identity
