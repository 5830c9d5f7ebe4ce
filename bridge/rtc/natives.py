"""Under which SFU identity clients look for each native participant. Pure.

The bridge knows every device by one identity in a meeting's SFU room, ``user:device``. Clients look for the
one that follows from the device's membership: the same for a state event, a hash for a sticky one. What a
device asks for tells less: Element Call asks ``/get_token`` (the hash) of every service but its own, its own
too until it knows that it is that, and then ``/sfu/get``, whatever its membership is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bridge.rtc.membership import Membership


class Natives:
    """The native participants of one call."""

    def __init__(self) -> None:
        self._noted: dict[str, Sequence[Membership]] = {}
        self._asked: dict[str, str] = {}
        self._plainly: set[str] = set()
        self._plain: dict[str, str] = {}

    def learn(self, noted: Iterable[Membership]) -> None:
        """Replace what is known of memberships, the newest of a device last."""
        found: dict[str, list[Membership]] = {}
        for each in noted:
            found.setdefault(each.plain, []).append(each)
            self._plain[each.identity] = each.plain
        self._noted = dict(found)

    def asked(self, plain: str, hashed: str) -> bool:
        """A device has asked to be known by a hash; whether that is news."""
        news = self._asked.get(plain) != hashed
        self._asked[plain] = hashed
        self._plain[hashed] = plain
        return news

    def asked_plainly(self, plain: str) -> bool:
        """A device has asked to be known as it is; whether that is news."""
        if plain in self._plainly:
            return False
        self._plainly.add(plain)
        return True

    def shown(self, plain: str) -> str:
        """The identity under which clients look for a device."""
        noted = self._noted.get(plain, ())
        asked = self._asked.get(plain, plain)
        sticky = [each.identity for each in noted if each.member_id]
        if asked in sticky:
            return asked
        if plain in self._plainly or len(sticky) < len(noted):
            return plain
        return sticky[-1] if sticky else asked

    def real(self, identity: str) -> str:
        """The device behind an identity; what is none that was ever shown comes back as it is."""
        return self._plain.get(identity, identity)
