"""Keeps the native call's view of each meeting true: who is shown there, as whom, and for how long.

Level-triggered like the reconciler: a hint says which call to look at, and what is written follows from the
call, the room and the faces that are stored. One unit of work stores the new faces and puts what Matrix has
to be told into the outbox.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from appservice.bus import Bus
from appservice.clock import Clock
from appservice.database import Database, is_outage
from appservice.errors import MatrixError
from appservice.faults import place
from appservice.namespace import Namespace
from appservice.operations import BringGhost, DismissGhost, Operation, SendState
from appservice.ownership import NotOwner, Ownership
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork, UnitsOfWork
from bridge.calls.model import Call
from bridge.keeper.bell import Bell
from bridge.projections import memberships
from bridge.projections.memberships import Face, Plan, Rung, Terrain
from bridge.rtc.identities import short_id
from bridge.rtc.membership import MEMBER_TYPE
from bridge.rtc.ports import RoomView
from bridge.rtc.venue import native_call
from bridge.store import calls as store
from bridge.store import faces as stored_faces

log = structlog.get_logger()

_SLOT = "rtc:"
_SWEEP_S = 15.0
_RETRY_S = 1.0

Changed = Callable[[str], None]
"""``(call_id)``: people of that call may be shown as somebody else."""


@dataclass(frozen=True, slots=True)
class FaceRules:
    """What the settings say.

    Attributes:
        shown: The native call leads into meetings at all (``rtc.gateway`` is not false).
        ghosts: People whom Visio authenticated get a Matrix user of their own.
        service_url: The authorization service as it is advertised.
        keep_names: Who came may be read in the room when the meeting is over (``calls.names: keep``).
    """

    shown: bool
    ghosts: bool
    service_url: str
    keep_names: bool = False


class Faces:
    """Looks at calls whose faces may have to change; see the module."""

    def __init__(
        self,
        *,
        database: Database,
        works: UnitsOfWork,
        ownership: Ownership,
        bus: Bus,
        namespace: Namespace,
        rules: FaceRules,
        clock: Clock,
        bell: Bell | None = None,
    ) -> None:
        self._database = database
        self._works = works
        self._ownership = ownership
        self._bus = bus
        self._namespace = namespace
        self._rules = rules
        self._clock = clock
        self._bell = bell
        self._waiting: dict[str, str] = {}
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._changed: list[Changed] = []
        bus.subscribe("faces", lambda hint: self._tell(str(hint["id"])))

    def on_changed(self, callback: Changed) -> None:
        """Call back after faces of a call were stored, by whichever replica."""
        self._changed.append(callback)

    def start(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(self._working(), name="faces"),
            asyncio.create_task(self._sweeping(), name="faces-sweep"),
        ]

    async def stop(self) -> None:
        """Stop; what was not looked at is found again at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stored(self, call: Call) -> None:
        """A call was committed: see what follows."""
        self._look_at(call.id, call.room_id)

    async def settle(self, call_id: str, room_id: str) -> None:
        """Bring the faces of one call up to date.

        Raises:
            NotOwner: another replica works on the room.
        """
        async with self._works.begin(room_id) as work:
            record = await store.by_id(work.connection, call_id)
            if record is not None and record.call.room_id != room_id:
                return  # it has moved, and is looked at where it is now
            before = await stored_faces.of_call(work.connection, call_id)
            facts = await work.facts()
            plan = self._plan(record.call if record is not None else None, facts, before, work.now)
            await self._carry_out(work, call_id, plan, bot_is_in=facts.membership == "join")
            await stored_faces.replace(work, call_id, before, plan.faces)
        if _shown(before) != _shown(plan.faces):
            self._tell(call_id)
            self._bus.publish("faces", {"id": call_id})
        if self._bell is not None and plan.faces:
            await self._bell.look(call_id, room_id)

    async def refused(
        self, operation: Operation, slot: str | None, error: MatrixError, work: UnitOfWork
    ) -> None:
        """The homeserver refused a ghost or a membership for good: whoever it was for takes the next rung."""
        if slot is None or not slot.startswith(_SLOT):
            return
        actor = _actor(operation, self._namespace.bot_id)
        if actor is None:
            return  # nothing was shown by it
        _, call_id, short, _ = slot.split(":")
        faces = await stored_faces.of_call(work.connection, call_id)
        found = next((face for face in faces.values() if short_id(face.identity) == short), None)
        if found is None or found.user_id != actor:
            return  # somebody else stands for them by now
        log.info("faces.refused", call=call_id, rung=found.rung.name.lower(), status=error.status)
        after = faces | {found.identity: memberships.refused(found)}
        await stored_faces.replace(work, call_id, faces, after)
        work.after_commit(lambda: self._look_at(call_id, work.room_id))

    async def ghost_out(self, user_id: str, work: UnitOfWork) -> None:
        """A ghost was kicked out of a room, or banned: whoever it stood for takes the next rung at once."""
        for call_id, faces in (await stored_faces.of_room(work.connection, work.room_id)).items():
            found = {
                identity: memberships.put_out(face)
                for identity, face in faces.items()
                if face.rung is Rung.GHOST and face.user_id == user_id
            }
            if found:
                log.info("faces.ghost_out", call=call_id)
                await stored_faces.replace(work, call_id, faces, faces | found)
                work.after_commit(partial(self._look_at, call_id, work.room_id))

    def _look_at(self, call_id: str, room_id: str) -> None:
        self._waiting[call_id] = room_id
        self._wake.set()

    def _tell(self, call_id: str) -> None:
        for callback in self._changed:
            callback(call_id)

    def _plan(self, call: Call | None, facts: RoomFacts, before: Mapping[str, Face], now: int) -> Plan:
        going_on = call if call is not None and not call.state.is_over else None
        in_room = facts.membership == "join"
        view = RoomView(facts.room_id, has_bot=in_room, encrypted=facts.is_encrypted, call=going_on)
        shown = native_call(view) if self._rules.shown else None
        if shown is None:
            return memberships.dismissal(before)
        terrain = terrain_of(facts, self._namespace, ghosts=self._rules.ghosts)
        return memberships.plan(shown.visible, facts.room_id, before, terrain, now)

    async def _carry_out(self, work: UnitOfWork, call_id: str, plan: Plan, *, bot_is_in: bool) -> None:
        async def write(operation: Operation, face: Face) -> None:
            # A slot of its own for each: none may take the place of another that stands before a third.
            slot = f"{_SLOT}{call_id}:{short_id(face.identity)}:{work.now}-{next(self._numbers)}"
            await work.write(operation, slot=slot, room_id=face.room_id)

        for face in plan.empty:
            # Whoever is out cannot do it themselves, and the state key keeps nobody else from it.
            sender = None if face.out else face.user_id
            if bot_is_in or (face.rung is Rung.GHOST and not face.out):
                await write(SendState(MEMBER_TYPE, face.state_key, {}, sender=sender), face)
        for face in plan.bring:
            await write(BringGhost(face.user_id, face.name), face)
        for face in plan.write:
            content = memberships.content(face, self._rules.service_url, work.now)
            await write(SendState(MEMBER_TYPE, face.state_key, content, sender=face.user_id), face)
        for face in plan.dismiss:
            await write(DismissGhost(face.user_id, forget_name=not self._rules.keep_names), face)

    async def _working(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                call_id, room_id = next(iter(self._waiting.items()))
                del self._waiting[call_id]
                if not await self._tried(call_id, room_id):
                    self._waiting.setdefault(call_id, room_id)
                    await asyncio.sleep(_RETRY_S)

    async def _tried(self, call_id: str, room_id: str) -> bool:
        try:
            await self.settle(call_id, room_id)
        except NotOwner:
            return True
        except Exception as error:
            log.error("faces.failed", call=call_id, error=place(error))
            # After a defect of ours the sweep comes back to it.
            return not is_outage(error)
        return True

    async def _sweeping(self) -> None:
        while True:
            try:
                found = await stored_faces.due(self._database, self._ownership.held, self._clock())
            except Exception as error:
                log.warning("faces.sweep_failed", error=type(error).__name__)
            else:
                for call_id, room_id in found.items():
                    self._look_at(call_id, room_id)
            await asyncio.sleep(_SWEEP_S)


def terrain_of(facts: RoomFacts, namespace: Namespace, *, ghosts: bool) -> Terrain:
    """What a room allows, as far as its state tells; what it does not tell, a refusal will.

    Args:
        facts: What is known of the room.
        namespace: Who is ours.
        ghosts: The settings want ghosts.
    """
    needed = facts.power_to_send(MEMBER_TYPE, is_state=True)
    bot_power = facts.power_of(namespace.bot_id)
    open_door = facts.content("m.room.join_rules").get("join_rule") == "public"
    let_in = open_door or bot_power >= facts.power_to_invite
    may_write = facts.power_of(namespace.ghost_id("")) >= needed
    return Terrain(
        bot_id=namespace.bot_id,
        server_name=namespace.server_name,
        ghost_prefix=namespace.ghost_prefix,
        ghosts=ghosts and let_in and may_write,
        bot=bot_power >= needed,
    )


def _actor(operation: Operation, bot_id: str) -> str | None:
    """Whose face an operation was to show; None if it was to take one away."""
    if isinstance(operation, BringGhost):
        return operation.user_id
    if isinstance(operation, SendState) and operation.content:
        return operation.sender or bot_id
    return None


def _shown(faces: Mapping[str, Face]) -> dict[str, str | None]:
    return {identity: face.shown for identity, face in faces.items() if face.present}
