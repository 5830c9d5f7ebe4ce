"""What a busy homeserver sends its application service: transactions as Synapse writes them."""

from __future__ import annotations

import itertools
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, Literal

BATCH = 100
"""Most events that Synapse puts into one transaction."""

Kind = Literal["command", "power_levels"]
"""What the events that concern us are. Commands are what people write. A change of power levels is
handled without a word to the homeserver, so that the time until it is handled is the bridge's alone."""

_WORDS = (
    "bonjour réunion déplacée à demain dossier préfecture équipe merci beaucoup voilà pièce jointe où "
    "est le compte rendu je l'ai relu hier très bien reçu à tout à l'heure côté budget même chose"
).split()


@dataclass
class Traffic:
    """Makes transactions; the same seed makes the same ones, event ids apart.

    Attributes:
        ours: How many of the hundred events of a transaction concern us.
        kind: What those are.
        rooms: Rooms that the events are spread over.
        server: The homeserver's name.
    """

    ours: int
    kind: Kind = "command"
    rooms: int = 200
    server: str = "bench.example"
    _random: random.Random = field(default_factory=lambda: random.Random(7))
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def room_ids(self) -> list[str]:
        """Every room that events come from."""
        return [f"!{number:018d}:{self.server}" for number in range(self.rooms)]

    def transaction(self) -> bytes:
        """One transaction's body: ASCII-escaped JSON without spaces, as Synapse sends it."""
        concerning = set(self._random.sample(range(BATCH), self.ours))
        events = [self._ours() if at in concerning else self._chat() for at in range(BATCH)]
        return json.dumps({"events": events}, separators=(",", ":")).encode("ascii")

    def _ours(self) -> dict[str, Any]:
        if self.kind == "command":
            subject = " ".join(self._random.choices(_WORDS, k=6))
            return self._event("m.room.message", self._message(f"!visio {subject}"))
        users = {f"@agent{number}:{self.server}": 50 for number in range(8)}
        content = {"users": users, "users_default": 0, "events_default": 0, "state_default": 50, "invite": 0}
        return {**self._event("m.room.power_levels", content), "state_key": ""}

    def _chat(self) -> dict[str, Any]:
        return self._event(
            "m.room.message", self._message(" ".join(self._random.choices(_WORDS, k=26)).capitalize())
        )

    def _message(self, body: str) -> dict[str, Any]:
        return {"body": body, "m.mentions": {}, "msgtype": "m.text"}

    def _event(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        sender = f"@agent{self._random.randrange(500)}:{self.server}"
        age = self._random.randrange(20, 200)
        unique = f"{time.time_ns():x}-{next(self._numbers):x}"
        return {
            "type": kind,
            "room_id": self._random.choice(self.room_ids()),
            "sender": sender,
            "content": content,
            "origin_server_ts": int(time.time() * 1000) - age,
            "unsigned": {"membership": "join", "age": age},
            "event_id": f"${unique:A<43}",
            "user_id": sender,
            "age": age,
        }
