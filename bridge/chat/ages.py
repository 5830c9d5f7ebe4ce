"""How old a message is."""

from __future__ import annotations

from appservice.events import Event


def age_of(event: Event, now: int) -> int:
    """Milliseconds since somebody wrote a message, by our own homeserver's word if it gave one."""
    age = event.content.get("age")
    if isinstance(age, int):
        return age + max(0, now - event.received_ts)
    return now - event.origin_ts
