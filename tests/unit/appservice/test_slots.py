"""The outbox as its readers see it: whatever happens in between, a slot ends up saying its last version."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.operations import SendEvent
from tests.support.application import BOT, ROOM, Service, service
from tests.support.fake_homeserver import FakeHomeserver, Rule, Sent, cut, do_and_cut, fake_homeserver

Step = tuple[str, str]

SLOTS = ("red", "green")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("card"), st.sampled_from(SLOTS)),
        st.tuples(st.just("forget"), st.sampled_from(SLOTS)),
        st.tuples(st.sampled_from(["say", "away", "half away", "back", "crash"]), st.just("")),
    ),
    max_size=25,
)


def content(slot: str, version: int) -> dict[str, object]:
    return {"msgtype": "m.notice", "body": f"{slot} {version}", "slot": slot, "version": version}


class Story:
    """What was asked of the outbox, and the checks of what became of it."""

    def __init__(self, url: str, homeserver: FakeHomeserver, stack: AsyncExitStack) -> None:
        self._url = url
        self._homeserver = homeserver
        self._stack = stack
        self._versions = itertools.count(1)
        self._away: Rule | None = None
        self._one: Service | None = None
        self.said: list[str] = []
        self.last: dict[str, int] = {}
        """The last version of each slot since it was forgotten."""
        self.forgotten: dict[str, int] = {}

    async def start(self) -> Service:
        self._one = await self._stack.enter_async_context(service(self._url, self._homeserver, start=False))
        await self._one.start(wait=self._away is None)
        return self._one

    async def step(self, what: str, slot: str) -> None:
        one = self._one
        assert one is not None
        match what:
            case "card":
                version = self.last[slot] = next(self._versions)
                first = content(slot, version) | {"body": "held back"} if slot == "red" else None
                card = SendEvent("m.room.message", content(slot, version), first=first)
                await one.write(card, slot=slot)
            case "forget":
                async with one.runtime.works.begin(ROOM) as work:
                    await work.forget(slot)
                self.last.pop(slot, None)
                self.forgotten[slot] = next(self._versions)
            case "say":
                self.said.append(str(len(self.said)))
                await one.write(SendEvent("m.room.message", {"body": self.said[-1]}))
            case "away" | "half away":
                self._back()
                self._away = self._homeserver.misbehave(cut if what == "away" else do_and_cut, room=ROOM)
            case "back":
                self._back()
                await one.idle()
            case "crash":
                await one.crash()
                self._homeserver.restart()
                await self.start()

    def _back(self) -> None:
        if self._away is not None:
            self._away.times = 0
            self._away = None

    async def check(self) -> None:
        await self.step("back", "")
        assert self._homeserver.doubled() == []
        sent = self._homeserver.sent
        assert [s.content["body"] for s in sent if "slot" not in s.content] == self.said
        for slot in SLOTS:
            self._check_slot(slot, [s for s in sent if s.content.get("slot") == slot])

    def _check_slot(self, slot: str, sent: list[Sent]) -> None:
        versions = [s.content["version"] for s in sent]
        assert versions == sorted(versions), "an older version after a newer one"
        firsts: set[str] = set()
        for each in sent:
            relation = each.content.get("m.relates_to")
            if relation is None:
                firsts.add(each.event_id)
            else:
                assert relation["event_id"] in firsts, "an edit of an edit, or of another slot's event"
                assert each.content["m.new_content"]["version"] == each.content["version"]
        if slot in self.last:
            assert versions[-1] == self.last[slot]
            # A first event that holds back is not the last word.
            assert sent[-1].content["body"] != "held back"
            since = self.forgotten.get(slot, 0)
            live = [s for s in sent if s.content["version"] > since]
            assert sum("m.relates_to" not in s.content for s in live) == 1, "a second card"


async def tell(steps: list[Step]) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        homeserver = await stack.enter_async_context(fake_homeserver())
        homeserver.add_room(ROOM, BOT)
        story = Story(f"sqlite+aiosqlite:///{folder / 'passerelle.db'}", homeserver, stack)
        await story.start()
        for step in steps:
            await story.step(*step)
        await story.check()


@settings(max_examples=20, deadline=None)
@given(steps)
def test_a_slot_ends_up_saying_its_last_version_once(steps: list[Step]) -> None:
    asyncio.run(tell(steps))
