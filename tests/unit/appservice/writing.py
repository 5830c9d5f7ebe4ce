"""Writes for the outbox's tests."""

from __future__ import annotations

from typing import Any

from appservice.operations import SendEvent
from tests.support.application import ROOM, Service

OTHER = "!other:hs"
KEY = "fr.example.card"


def say(text: str, **fields: Any) -> SendEvent:
    return SendEvent("m.room.message", {"msgtype": "m.notice", "body": text, "m.mentions": {}}, **fields)


def card(text: str, first: str | None = None) -> SendEvent:
    def content(words: str) -> dict[str, Any]:
        return {"msgtype": "m.notice", "body": words, "m.mentions": {}, KEY: {"v": 1, "words": words}}

    return SendEvent("m.room.message", content(text), first=content(first) if first is not None else None)


async def write_all(one: Service, *texts: str, room_id: str = ROOM) -> None:
    async with one.runtime.works.begin(room_id) as work:
        for text in texts:
            await work.write(say(text))
