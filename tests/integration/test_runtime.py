"""The durable runtime on a real homeserver: no bridge, an application of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest

from appservice.events import Event
from appservice.intents import DEVICE_ID
from appservice.namespace import Namespace
from appservice.operations import Join, Leave, RedactEdits, SendEvent
from appservice.rooms import INFINITE_POWER, RoomFacts
from appservice.unit_of_work import UnitOfWork
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.synapse import Synapse
from tests.conftest import NewUser
from tests.support.application import App, Service, service
from tests.support.slots import Slot
from tests.support.waiting import until


class Echo(App):
    """Joins where it is invited, and answers what begins with an exclamation mark."""

    def __init__(self, bot_id: str) -> None:
        super().__init__(self._act)
        self._bot_id = bot_id

    async def _act(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        if event.type == "m.room.member" and event.state_key == self._bot_id:
            if event.content["membership"] == "invite":
                await work.write(Join((event.sender.partition(":")[2],)))
        elif str(event.content.get("body", "")).startswith("!") and event.sender != self._bot_id:
            await work.write(SendEvent("m.room.message", _notice(f"re: {event.content['body']}")))


def _notice(text: str) -> dict[str, Any]:
    return {"msgtype": "m.notice", "body": text, "m.mentions": {}}


class Run(Protocol):
    """What the fixture ``run`` is."""

    def __call__(
        self, homeserver: Synapse | None = None, app: App | None = None
    ) -> AbstractAsyncContextManager[Service]:
        """An application service at the test's place; not started, and it does not listen yet."""


@pytest.fixture
def echo(slot: Slot) -> Echo:
    return Echo(slot.bot_id)


@pytest.fixture
def run(request: pytest.FixtureRequest, database_url: str, slot: Slot, echo: Echo) -> Run:
    def make(
        homeserver: Synapse | None = None, app: App | None = None
    ) -> AbstractAsyncContextManager[Service]:
        own = slot.registration
        return service(
            database_url,
            homeserver or request.getfixturevalue("synapse"),
            app or echo,
            start=False,
            appservice_id=own.id,
            as_token=own.as_token,
            hs_token=own.hs_token,
            namespace=Namespace(own.server_name, own.bot, own.ghost_prefix),
        )

    return make


async def up(one: Service, slot: Slot) -> None:
    await one.listen(slot.internal_port)
    await one.start()


def answers(user: MatrixUser, room: str, bot_id: str) -> list[str]:
    return [event["content"].get("body", "") for event in user.room(room).messages(bot_id)]


async def room_with(user: MatrixUser, slot: Slot, **given: Any) -> str:
    room = await user.create_room(invite=[slot.bot_id], **given)
    await user.wait_until(lambda: slot.bot_id in user.room(room).members())
    return room


async def test_what_people_write_is_answered_once_and_in_order(
    run: Run, slot: Slot, alice: MatrixUser
) -> None:
    async with run() as one:
        await up(one, slot)
        room = await room_with(alice, slot)
        said = [f"!{number}" for number in range(20)]
        for text in said:
            await alice.say(room, text)
        expected = [f"re: {text}" for text in said]
        await alice.wait_until(lambda: answers(alice, room, slot.bot_id) == expected)


async def test_the_facts_of_a_room_are_those_of_the_homeserver(
    run: Run, slot: Slot, echo: Echo, alice: MatrixUser, bob: MatrixUser
) -> None:
    async with run() as one:
        await up(one, slot)
        room = await room_with(alice, slot, room_version="12", is_direct=True)
        said = await alice.say(room, "!first")
        await until(lambda: said in echo.facts)
        facts = echo.facts[said]
        assert (facts.version, facts.partner) == ("12", alice.user_id)
        assert facts.creators == {alice.user_id}
        assert facts.power_of(alice.user_id) == INFINITE_POWER
        assert facts.power_of(bob.user_id) == 0
        assert not facts.is_encrypted
        await alice.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
        said = await alice.say(room, "!second")
        await until(lambda: said in echo.facts)
        assert echo.facts[said].is_encrypted


async def test_what_was_said_while_it_was_down_arrives_soon_after_its_start(
    run: Run, slot: Slot, alice: MatrixUser
) -> None:
    async with run() as one:
        await up(one, slot)
        room = await room_with(alice, slot)
    for number in range(5):
        # One at a time, so that the homeserver's back-off has time to grow.
        await alice.say(room, f"!{number}")
        await asyncio.gather(alice.wait_for(room, lambda e: e["content"].get("body") == f"!{number}"))  # noqa: B023
    async with run() as again:
        await up(again, slot)
        expected = [f"re: !{number}" for number in range(5)]
        await alice.wait_until(lambda: answers(alice, room, slot.bot_id) == expected, 10)


async def test_what_the_homeserver_does_not_push_is_read_in_the_room_and_handled_once(
    run: Run, slot: Slot, echo: Echo, alice: MatrixUser
) -> None:
    async with run() as one:
        await up(one, slot)
        room = await room_with(alice, slot)
        began = one.runtime.clock()
        # The bot talks more than anybody else.
        for number in range(5):
            await one.write(SendEvent("m.room.message", _notice(str(number))), slot="card", room_id=room)
            await one.idle()
        await one.deaf()
        said = await alice.say(room, "!lost")
        await one.runtime.link._catch_up.run(began, 500)
        await until(lambda: said in echo.handled)
        await one.listen(slot.internal_port)
        one.runtime.link.make_good_soon()
        last = await alice.say(room, "!last")
        await until(lambda: last in echo.handled)
        assert echo.handled.count(said) == 1


async def test_older_edits_are_redacted_for_everybody_and_the_newest_stays(
    run: Run, slot: Slot, alice: MatrixUser
) -> None:
    async with run() as one:
        await up(one, slot)
        room = await room_with(alice, slot)
        for text in ("open", "Marie", "Marie, Paul", "ended"):
            await one.write(SendEvent("m.room.message", _notice(text)), slot="card", room_id=room)
            await one.idle()
        await one.write(RedactEdits("card"), room_id=room)
        await one.idle()
        history = [e["content"] for e in await alice.history(room) if e["sender"] == slot.bot_id]
        texts = [content["body"] for content in history if "body" in content]
        assert texts == ["open", "* ended"]
        assert "Marie" not in str(history)


async def test_a_write_that_the_room_refuses_is_given_back(
    run: Run, slot: Slot, echo: Echo, alice: MatrixUser
) -> None:
    async with run() as one:
        await up(one, slot)
        room = await room_with(alice, slot, power_levels={"events_default": 50})
        await one.write(SendEvent("m.room.message", _notice("hello")), slot="card", room_id=room)
        await one.idle()
        [(_, slot_name, refusal)] = echo.refused
        assert (slot_name, refusal.status, refusal.errcode) == ("card", 403, "M_FORBIDDEN")
        await one.write(Leave("nothing to do here"), room_id=room)
        await alice.wait_until(lambda: slot.bot_id in alice.room(room).members("leave"))
        member = alice.room(room).state["m.room.member", slot.bot_id]
        assert member["content"]["reason"] == "nothing to do here"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_crash_between_the_homeserver_and_our_commit_posts_nothing_twice_even_if_both_restart(
    run: Run, slot: Slot, make_synapse: Callable[..., Synapse], new_user: NewUser
) -> None:
    """The device of the bot's own makes Synapse remember transaction ids in its database (MSC4190)."""
    synapse = make_synapse()
    await synapse.start()
    alice = await new_user("alice", at=synapse)
    async with run(synapse) as one:
        await up(one, slot)
        assert one.runtime.actors.bot.device_id == DEVICE_ID
        room = await room_with(alice, slot)
        bot, accepted = one.runtime.actors.bot, asyncio.Event()
        send = bot.send_event

        async def send_and_hang(*arguments: Any) -> str:
            await send(*arguments)
            accepted.set()
            await asyncio.Event().wait()
            return ""

        bot.send_event = send_and_hang  # type: ignore[method-assign, assignment]
        await one.write(SendEvent("m.room.message", _notice("once")), slot="card", room_id=room)
        await accepted.wait()
        await one.crash()
    synapse.kill()
    await synapse.start()
    async with run(synapse) as again:
        await up(again, slot)
        await again.write(SendEvent("m.room.message", _notice("then")), slot="card", room_id=room)
        await again.idle(30)
        history = [e["content"]["body"] for e in await alice.history(room) if "body" in e["content"]]
        assert history == ["once", "* then"]
