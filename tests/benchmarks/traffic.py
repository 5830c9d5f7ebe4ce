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
    *("bonjour", "réunion", "déplacée", "à", "demain", "dossier", "préfecture", "équipe", "merci"),
    *("beaucoup", "voilà", "pièce", "jointe", "où", "est", "le", "compte", "rendu", "je", "l'ai", "relu"),
    *("hier", "très", "bien", "reçu", "tout", "à", "l'heure", "côté", "budget", "même", "chose"),
)


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
        events = [self._ours() if at in concerning else self._others() for at in range(BATCH)]
        return json.dumps({"events": events}, separators=(",", ":")).encode("ascii")

    def _ours(self) -> dict[str, Any]:
        if self.kind == "command":
            return self._event("m.room.message", _text(f"!visio {self._words(6)}"))
        users = {f"@agent{number}:{self.server}": 50 for number in range(8)}
        content = {"users": users, "users_default": 0, "events_default": 0, "state_default": 50, "invite": 0}
        return {**self._event("m.room.power_levels", content), "state_key": ""}

    def _others(self) -> dict[str, Any]:
        """What people do in rooms: they write, reply, react, correct themselves, come and go."""
        make = self._random.choices(
            (self._said, self._reply, self._edit, self._reaction, self._member), (70, 10, 5, 10, 5)
        )
        return make[0]()

    def _said(self) -> dict[str, Any]:
        return self._event("m.room.message", _text(self._words(30).capitalize()))

    def _reply(self) -> dict[str, Any]:
        said = self._words(12)
        content = {**_text(said), "format": "org.matrix.custom.html", "formatted_body": f"<p>{said}</p>"}
        relation = {"m.in_reply_to": {"event_id": self._event_id()}}
        return self._event("m.room.message", {**content, "m.relates_to": relation})

    def _edit(self) -> dict[str, Any]:
        said = self._words(10)
        relation = {"rel_type": "m.replace", "event_id": self._event_id()}
        content = {**_text(f"* {said}"), "m.new_content": _text(said), "m.relates_to": relation}
        return self._event("m.room.message", content)

    def _reaction(self) -> dict[str, Any]:
        relation = {"rel_type": "m.annotation", "event_id": self._event_id(), "key": "👍"}
        return self._event("m.reaction", {"m.relates_to": relation})

    def _member(self) -> dict[str, Any]:
        content = {"membership": "join", "displayname": "Agent [Préfecture]", "avatar_url": None}
        event = self._event("m.room.member", content)
        return {**event, "state_key": event["sender"]}

    def _words(self, count: int) -> str:
        return " ".join(self._random.choices(_WORDS, k=count))

    def _event_id(self) -> str:
        unique = f"{time.time_ns():x}-{next(self._numbers):x}"
        return f"${unique:A<43}"

    def _event(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        sender = f"@agent{self._random.randrange(500)}:{self.server}"
        age = self._random.randrange(20, 200)
        return {
            "type": kind,
            "room_id": self._random.choice(self.room_ids()),
            "sender": sender,
            "content": content,
            "origin_server_ts": int(time.time() * 1000) - age,
            "unsigned": {"membership": "join", "age": age},
            "event_id": self._event_id(),
            "user_id": sender,
            "age": age,
        }


def _text(body: str) -> dict[str, Any]:
    return {"body": body, "m.mentions": {}, "msgtype": "m.text"}
