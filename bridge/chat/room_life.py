"""What happens to rooms and to the bot in them."""

from __future__ import annotations

from typing import Any

import structlog

from appservice.errors import MatrixError
from appservice.events import Event
from appservice.operations import Join, Leave, Operation, SendEvent
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from bridge.calls import lifecycle
from bridge.calls.model import CallState, EndReason
from bridge.chat.styles import RoomStyles
from bridge.commands import answers, refusals
from bridge.keeper.ledger import Ledger, card_slot
from bridge.locale import Message
from bridge.policy import Policy, Right
from bridge.store import calls, notes, rooms
from bridge.store.records import Record

log = structlog.get_logger()


class RoomLife:
    """Invitations, greetings, kicks, redactions, upgrades and encryption."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        policy: Policy,
        styles: RoomStyles,
        bot_id: str,
        own_server: str,
        organisation: str,
        adopts_links: bool = False,
    ) -> None:
        self._ledger = ledger
        self._policy = policy
        self._styles = styles
        self._bot_id = bot_id
        self._own_server = own_server
        self._organisation = organisation
        self._adopts_links = adopts_links

    async def member(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """The bot was invited, joined, or is out; others matter to the runtime only."""
        if event.state_key != self._bot_id:
            return
        match event.content.get("membership"):
            case "invite":
                await self._invited(event, work)
            case "join":
                await self._joined(facts, work)
            case "leave" | "ban":
                await self._out(work)

    async def _invited(self, event: Event, work: UnitOfWork) -> None:
        if self._policy.right_of(event.sender) >= Right.START:
            server = event.sender.partition(":")[2]
            await work.write(Join((server,) if server else ()))
            return
        voice = (await self._styles.of_room(work)).voice
        server = event.sender.partition(":")[2]
        why = refusals.invitation_refused(voice, "user" if server == self._own_server else "server")
        log.info("invitation.refused", room=event.room_id, server=server)
        await work.write(Leave(why))

    async def _joined(self, facts: RoomFacts, work: UnitOfWork) -> None:
        if facts.membership != "join":
            return  # it is out again already
        await self.take_over(facts, work)
        memory = await rooms.recall(work)
        if facts.is_encrypted:
            await self._tell_encrypted(work)
        elif memory.welcomed_ts is None:
            voice = (await self._styles.of_room(work)).voice
            welcome = answers.welcome(voice, organisation=self._organisation, adopt_links=self._adopts_links)
            await self._say(work, welcome)
            await rooms.remember(work, welcomed_ts=work.now)

    async def _out(self, work: UnitOfWork) -> None:
        """Kicked, banned, or left: the call is let go of, nothing is said, nothing waits."""
        await work.drop_room()
        await self._untie(work, await calls.current(work.connection, work.room_id))
        # Whoever invites it again is greeted again.
        await rooms.remember(work, welcomed_ts=None, told_encrypted_ts=None, told_direct_ts=None)

    async def redaction(self, event: Event, work: UnitOfWork) -> None:
        """Somebody took the card away: the room does not want it, so it is not posted again."""
        slot = await work.slot_of(event.redacts) if event.redacts else None
        if slot is None:
            return
        record = await calls.by_id(work.connection, slot.removeprefix("card:"))
        if record is not None and card_slot(record.call.id) == slot:
            await self._ledger.take_names_away(work, record.call)
            await self._untie(work, record)

    async def _untie(self, work: UnitOfWork, record: Record | None) -> None:
        if record is None:
            return
        # Nor does a call that is over already come back: its link is spent.
        after = lifecycle.spent(lifecycle.end(record.call, work.now, EndReason.UNTIED))
        if not record.call.state.is_over:
            # People go on without the room; a meeting that nobody is in need not wait for anybody.
            after = after.but(closing=not record.call.adopted and not record.call.participants)
        log.info("call.untied", call=record.call.id)
        await self._ledger.untie(work, record, after)

    async def encryption(self, work: UnitOfWork) -> None:
        """Encryption was turned on: a clear card would leak the link, so the call is let go of."""
        record = await calls.current(work.connection, work.room_id)
        if record is not None and record.call.state is CallState.OPENING:
            await self._untie(work, record)
        elif record is not None:
            # The card is told a last time: it loses the link and the names.
            after = lifecycle.end(record.call, work.now, EndReason.UNTIED)
            await self._ledger.save(work, record, after)
        await self._tell_encrypted(work)

    async def _tell_encrypted(self, work: UnitOfWork) -> None:
        if (await rooms.recall(work)).told_encrypted_ts is not None:
            return
        voice = (await self._styles.of_room(work)).voice
        await self._say(work, refusals.cannot_read_here(voice))
        await rooms.remember(work, told_encrypted_ts=work.now)

    async def tombstone(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """The room was replaced: go on in the new one, where the call follows once the bot is in."""
        replacement = facts.replacement
        if replacement is None or replacement == work.room_id:
            return
        server = event.sender.partition(":")[2]
        await work.write(Join((server,) if server else ()), room_id=replacement)
        # The bot may be there already, or on its way: its joining does not find the call then.
        await notes.leave_note(work.connection, replacement, notes.REPLACEMENT, {}, work.now)
        memory = await rooms.recall(work)
        if memory.language is not None:
            await rooms.remember(work, room_id=replacement, language=memory.language)

    async def take_over(self, facts: RoomFacts, work: UnitOfWork) -> None:
        """Bring the call along from the room that this one replaces."""
        old_room = predecessor(facts)
        if old_room is None or facts.membership != "join" or facts.is_encrypted:
            return  # a clear card in an encrypted room would leak the link
        moved = await calls.move(work.connection, old_room, work.room_id)
        if moved is not None:
            log.info("call.followed_upgrade", call=moved.call.id)
            await self._ledger.repost(work, moved, old_room)

    async def refused(
        self, operation: Operation, slot: str | None, error: MatrixError, work: UnitOfWork
    ) -> None:
        """The homeserver refused a write for good; without its card a call is no longer tied to the room."""
        if slot is None or not slot.startswith("card:") or not isinstance(operation, SendEvent):
            return
        if error.status == 413:
            log.error("card.too_large", call=slot.removeprefix("card:"))
            return
        await self._untie(work, await calls.by_id(work.connection, slot.removeprefix("card:")))

    async def end_by_admin(self, event: Event, work: UnitOfWork) -> None:
        """``passerelle calls end``."""
        record = await calls.by_id(work.connection, str(event.content.get("call_id")))
        if record is None or record.call.state.is_over:
            return
        after = lifecycle.end(record.call, work.now, EndReason.ADMIN).but(closing=not record.call.adopted)
        await self._ledger.save(work, record, after)

    async def _say(self, work: UnitOfWork, message: Message) -> None:
        await work.write(SendEvent("m.room.message", answers.to_content(message)))


def predecessor(facts: RoomFacts) -> str | None:
    """The room that this one replaces, as its create event says."""
    before: Any = facts.content("m.room.create").get("predecessor")
    room_id = before.get("room_id") if isinstance(before, dict) else None
    return room_id if isinstance(room_id, str) else None
