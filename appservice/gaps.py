"""Noticing that the homeserver has passed a transaction over. No I/O.

Synapse numbers an application service's transactions one after the other and sends them one at a time. One
that is made in the very moment in which it ends its back-off stays in its database
(``synapse.appservice.scheduler``: it asks whether the service is up before it makes the transaction, and its
recoverer has looked for unsent ones for the last time in between). It is sent when the next one fails, which
may take weeks. The number that is missing tells of it at once.
"""

from __future__ import annotations

_LONGEST_GAP = 100
"""Ids that are further apart count nothing: other homeservers make them of the time."""


class Gaps:
    """Watches the ids of transactions as they come.

    Sound for whoever gets all of them; behind a load balancer each replica sees gaps all the time.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def before(self, txn_id: str) -> bool:
        """Whether a transaction that should have come before this one has not come.

        Ids are opaque to an application service (Matrix Application Service API); of those that are no
        numbers nothing is said.
        """
        if not (txn_id.isascii() and txn_id.isdigit() and len(txn_id) < 20):
            return False
        number = int(txn_id)
        last, self._last = self._last, number
        return last is not None and 1 < number - last <= _LONGEST_GAP
