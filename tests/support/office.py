"""The keeper of calls on a real database, between a meeting provider and a clock that the test holds."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa

from appservice import operations, rooms
from appservice.database import Database
from appservice.operations import Operation, SendEvent
from appservice.ownership import SoleOwner
from appservice.rooms import RoomFacts
from appservice.tables import outbox, published
from appservice.unit_of_work import UnitsOfWork
from bridge.calls.lifecycle import Timings
from bridge.calls.model import Call, CallState, ParticipantKind
from bridge.calls.ports import Admission, Meeting, ProviderFailure, Seen, SfuUnreachable, Sight
from bridge.chat.announcements import RoomAnnouncements
from bridge.chat.styles import RoomStyles
from bridge.commands.follow import FOLLOWED_BY
from bridge.keeper.ledger import Ledger
from bridge.keeper.ports import Member
from bridge.keeper.reconciler import Reconciler
from bridge.locale import Voice
from bridge.projections.card import CALL_KEY
from bridge.projections.style import CardStyle
from bridge.store import calls as store
from bridge.store.calls import CallStore
from bridge.store.migrate import migrate
from bridge.store.records import Record
from tests.support.databases import open_with_tables

T0 = 1_700_000_010_000
"""A tick of every clock that the tests use."""
ROOM = "!room:hs"
BOT = "@visio:hs"
TIMINGS = Timings(grace_ms=60_000, open_timeout_ms=3_600_000, resume_window_ms=7_200_000, clock_ms=30_000)

_numbers = itertools.count(1)


def a_call(state: CallState = CallState.OPEN, /, **fields: object) -> Call:
    """A call of Ada's in `ROOM`."""
    call = Call(
        id="c1",
        room_id=ROOM,
        state=state,
        provider="livekit",
        started_by="@ada:hs",
        started_by_name="ada",
        started_ts=T0,
        secret="s",
    )
    if state is not CallState.OPENING:
        call = call.but(url="https://visio.example/call/c1#s", sfu_room="passerelle-c1")
    return call.but(**fields)


def seen(identity: str, *, hidden: bool = False) -> Seen:
    """Somebody whom the SFU lists."""
    return Seen(identity, identity.title(), ParticipantKind.GUEST, False, None, T0, hidden)


class FakeProvider:
    """Meetings in memory.

    Attributes:
        inside: Who is in which SFU room.
        found: Where followed links lead, by link.
        going_on: What else a look shows.
        away: The SFU does not answer.
        failure: Why no meeting can be opened.
        error: A defect: raised by whatever is asked.
        done: What was asked of the SFU, in order.
    """

    name = "livekit"

    def __init__(self) -> None:
        self.inside: dict[str, tuple[Seen, ...]] = {}
        self.found: dict[str, Meeting] = {}
        self.going_on = Sight()
        self.away = False
        self.failure: ProviderFailure | None = None
        self.error: Exception | None = None
        self.done: list[tuple[str, ...]] = []

    async def open(self, call: Call) -> Meeting:
        self._answer("open", call.id)
        if self.failure is not None:
            raise self.failure
        if call.adopted and call.url is not None:
            return self.found.get(call.url, Meeting(call.url, None, adopted=True))
        return Meeting(f"https://visio.example/call/{call.id}#s", f"passerelle-{call.id}", call.secret)

    async def prepare(self, call: Call) -> None:
        self._answer("prepare", call.id)

    async def locate(self, call: Call) -> Meeting | None:
        self._answer("locate", call.id)
        return self.found.get(call.url or "")

    async def who(self, call: Call) -> Sight:
        self._answer("who", call.id)
        inside = self.inside.get(call.sfu_room or "", ())
        return dataclasses.replace(self.going_on, participants=inside)

    def token(self, call: Call, admission: Admission) -> str:
        return f"token for {admission.identity} in {call.sfu_room}"

    async def occupied(self, calls: tuple[Call, ...]) -> frozenset[str]:
        self._answer("occupied", *(call.id for call in calls))
        return frozenset(call.id for call in calls if self.inside.get(call.sfu_room or ""))

    async def remove(self, call: Call, identity: str) -> None:
        self._answer("remove", identity)
        room = call.sfu_room or ""
        self.inside[room] = tuple(s for s in self.inside.get(room, ()) if s.identity != identity)

    async def mute(self, call: Call, identity: str) -> None:
        self._answer("mute", identity)

    async def close(self, call: Call) -> None:
        self._answer("close", call.id)
        self.inside.pop(call.sfu_room or "", None)

    def _answer(self, *what: str) -> None:
        if self.error is not None:
            raise self.error
        self.done.append(what)
        if self.away and what[0] != "open":
            raise SfuUnreachable("away")


class FakeDoorman:
    """Fills `bridge.keeper.ports.Doorman`."""

    def __init__(self) -> None:
        self.lets_open = True
        self.members: dict[str, Member] = {}

    async def name_of(self, room_id: str, user_id: str) -> str:
        return "Ada Lovelace"

    async def member(self, room_id: str, user_id: str) -> Member:
        return self.members.get(user_id, Member())

    async def may_open(self, room_id: str, user_id: str) -> bool:
        return self.lets_open


@dataclasses.dataclass
class Office:
    """The parts, wired together.

    Attributes:
        now: What the clock says, milliseconds.
    """

    database: Database
    works: UnitsOfWork
    store: CallStore
    styles: RoomStyles
    ledger: Ledger
    reconciler: Reconciler
    provider: FakeProvider
    doorman: FakeDoorman
    stored: list[Call]
    clock: Callable[[], int]
    now: int = T0

    async def look(self, *call_ids: str, gone: frozenset[str] = frozenset()) -> dict[str, int | None]:
        """Look at some calls, of which a webhook said that some people are gone."""
        due = await self.reconciler.look(dict.fromkeys(call_ids or ("c1",), gone))
        return {
            call_id: await answer if isinstance(answer, asyncio.Task) else answer
            for call_id, answer in due.items()
        }

    async def begin(self, call: Call) -> Record:
        """Write down a call that begins."""
        async with self.works.begin(call.room_id) as work:
            await self.ledger.open(work, call)
        return await self.record(call.id)

    async def record(self, call_id: str = "c1") -> Record:
        """A call as it is stored."""
        record = await self.store.get(call_id)
        assert record is not None, call_id
        return record

    async def call(self, call_id: str = "c1") -> Call:
        """A call as it is stored, without its card's memory."""
        return (await self.record(call_id)).call

    async def change(self, call_id: str = "c1", **fields: object) -> Call:
        """Change a call as a command would."""
        async with self.works.begin((await self.call(call_id)).room_id) as work:
            record = await store.by_id(work.connection, call_id)
            assert record is not None
            changed, _ = await self.ledger.save(work, record, record.call.but(**fields))
        return changed.call

    async def told(self, room_id: str = ROOM, /, **state: Any) -> None:
        """What is known of a room: the bot's membership, and state by type."""
        facts = RoomFacts(room_id, state.pop("membership", "join"), state.pop("partner", None), {}, self.now)
        cached = {kind: {"content": content, "sender": "@ada:hs"} for kind, content in state.items()}
        async with self.works.begin(room_id) as work:
            await work.store_facts(dataclasses.replace(facts, state=cached))

    async def facts(self, room_id: str = ROOM) -> RoomFacts:
        """What is known of a room now."""
        async with self.database.connect() as connection:
            return await rooms.load(connection, room_id)

    # What waits to be written to Matrix

    async def outbox(self, room_id: str = ROOM) -> list[tuple[str | None, Operation]]:
        """Slot and operation of what waits, oldest first."""
        query = sa.select(outbox).where(outbox.c.room_id == room_id).order_by(outbox.c.seq)
        async with self.database.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [(row.slot, operations.decode(row.operation, row.body)) for row in rows]

    async def said(self, room_id: str = ROOM) -> list[str]:
        """The words of the messages that wait and are no cards."""
        return [
            str(operation.content["body"])
            for _, operation in await self.outbox(room_id)
            if isinstance(operation, SendEvent)
            and CALL_KEY not in operation.content
            and operation.type == "m.room.message"
        ]

    async def cards(self, room_id: str = ROOM) -> list[dict[str, Any]]:
        """The ``fr.passerelle.call`` objects that wait."""
        return [
            dict(operation.content[CALL_KEY])
            for _, operation in await self.outbox(room_id)
            if isinstance(operation, SendEvent) and CALL_KEY in operation.content
        ]

    async def send(self, room_id: str = ROOM) -> list[Operation]:
        """Let everything that waits leave, as the sender would; answers what it was."""
        waiting = await self.outbox(room_id)
        async with self.works.begin(room_id) as work:
            await work.connection.execute(sa.delete(outbox).where(outbox.c.room_id == room_id))
            for slot, operation in waiting:
                if slot is None or not isinstance(operation, SendEvent):
                    continue
                number = next(_numbers)
                values = {
                    "event_id": f"$sent{number}",
                    "is_edit": await work.event_of(slot) is not None,
                    "sent_ts": self.now + number,
                }
                await work.connection.execute(
                    sa.insert(published).values(room_id=room_id, slot=slot, **values)
                )
        return [operation for _, operation in waiting]


@asynccontextmanager
async def an_office(
    database_url: str, *, keep_names: bool = False, max_participants: int = 150
) -> AsyncIterator[Office]:
    """An office on an empty database."""
    database = await open_with_tables(database_url, migrate)
    ownership = SoleOwner()
    await ownership.start()
    stored: list[Call] = []

    def clock() -> int:
        return office.now

    names: Any = "keep" if keep_names else "during"
    styles = RoomStyles(CardStyle(Voice("en", "Europe/Paris", "!visio"), names=names))
    ledger = Ledger(styles.of_call, TIMINGS, max_participants=max_participants, keep_names=keep_names)
    ledger.on_stored(stored.append)
    provider, doorman, calls = FakeProvider(), FakeDoorman(), CallStore(database)
    works = UnitsOfWork(database, ownership, clock)
    reconciler = Reconciler(
        works=works,
        calls=calls,
        ledger=ledger,
        providers={provider.name: provider, FOLLOWED_BY: provider},
        timings=TIMINGS,
        announcements=RoomAnnouncements(styles, BOT),
        doorman=doorman,
        clock=clock,
    )
    office = Office(database, works, calls, styles, ledger, reconciler, provider, doorman, stored, clock)
    await office.told()
    try:
        yield office
    finally:
        await ownership.stop()
        await database.close()
