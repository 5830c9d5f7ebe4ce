"""A durable Matrix application-service runtime that knows nothing of calls.

The way of an event: ``web`` takes the homeserver's transaction, ``transaction`` parses it,
``inbox`` commits what concerns us before the 200, ``worker`` hands it to a handler in room order
inside a ``unit_of_work``, and what the handler wrote down leaves through ``sender``.
"""

from __future__ import annotations
