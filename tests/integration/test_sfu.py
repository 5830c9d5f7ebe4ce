"""The SFU client, its tokens and its webhooks against a real LiveKit with real participants."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from livekit import rtc

from bridge.calls.model import Call, CallState, ParticipantKind
from bridge.calls.ports import Admission, SfuUnreachable
from bridge.demo.peers.livekit import LiveKit
from bridge.providers.livekit import LivekitProvider
from bridge.providers.parts import ProviderParts
from bridge.sfu.client import Sfu, now_ms
from bridge.sfu.model import SfuKind
from bridge.sfu.receiver import Outcome, WebhookReceiver
from bridge.sfu.retry import Patience
from bridge.sfu.tokens import ApiKey, JoinPass, join_token
from bridge.sfu.twirp import SfuRefused
from bridge.sfu.webhooks import Hint, WebhookRefused, peek, verify
from tests.support.waiting import until
from tests.support.webhook_relay import Webhook, WebhookRelay

Join = Callable[..., Awaitable[rtc.Room]]

CONNECTED = rtc.ConnectionState.CONN_CONNECTED
SECOND = 1_000


def key_of(livekit: LiveKit) -> ApiKey:
    return ApiKey(livekit.key, livekit.secret)


@pytest.fixture
def room() -> str:
    return f"passerelle-{secrets.token_hex(6)}"


@pytest.fixture
async def sfu(livekit: LiveKit) -> AsyncIterator[Sfu]:
    async with Sfu(livekit.url, key_of(livekit)) as client:
        yield client


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    """Brings people into a room; they leave at the end of the test."""
    async with AsyncExitStack() as inside:

        async def enter(
            sfu: Sfu, livekit: LiveKit, room: str, identity: str, *, hidden: bool = False
        ) -> rtc.Room:
            ticket = JoinPass(room, identity, identity.title(), 60 * SECOND, hidden=hidden)
            person = rtc.Room()
            await person.connect(livekit.url, join_token(key_of(livekit), ticket, now_ms()))
            inside.push_async_callback(person.disconnect)

            async def listed() -> bool:
                sids = [p.sid for p in await sfu.participants(room)]
                return person.local_participant.sid in sids

            # The SFU counts somebody as active a moment after the client says that it is connected.
            await until(listed)
            return person

        yield enter


async def make(sfu: Sfu, room: str, *, most: int = 0) -> None:
    await sfu.create_room(
        room, empty_timeout_ms=60 * SECOND, departure_timeout_ms=60 * SECOND, max_participants=most
    )


async def identities(sfu: Sfu, room: str) -> list[str]:
    return [p.identity for p in await sfu.participants(room)]


def inside(sfu: Sfu, room: str, *who: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await identities(sfu, room) == list(who)

    return check


async def test_a_room_comes_and_goes(sfu: Sfu, room: str) -> None:
    assert await sfu.rooms([room]) == {}
    await make(sfu, room)
    first = (await sfu.rooms([room]))[room]
    await make(sfu, room)
    assert (await sfu.rooms([room]))[room].sid == first.sid, "making it again changes nothing"
    assert await sfu.delete_room(room)
    assert await sfu.rooms([room]) == {}
    assert not await sfu.delete_room(room)


async def test_an_unknown_room_is_empty_and_nothing_there_is_an_error(sfu: Sfu, room: str) -> None:
    assert await sfu.participants(room) == ()
    assert await sfu.rooms([room, "another"]) == {}
    assert not await sfu.remove(room, "nobody")
    assert await sfu.mute_microphones(room, "nobody") == 0


async def test_people_come_and_go(sfu: Sfu, livekit: LiveKit, room: str, join: Join) -> None:
    before = now_ms()
    await make(sfu, room)
    ada = await join(sfu, livekit, room, "guest-ada")
    await join(sfu, livekit, room, "guest-bob", hidden=True)
    seen_ada, seen_bob = await sfu.participants(room)
    assert (seen_ada.name, seen_ada.kind, seen_ada.hidden) == ("Guest-Ada", SfuKind.STANDARD, False)
    assert (seen_bob.hidden, seen_bob.recorder, seen_bob.can_subscribe) == (True, False, True)
    assert before - SECOND <= seen_ada.joined_ts <= seen_bob.joined_ts <= now_ms() + SECOND
    await ada.disconnect()
    await until(inside(sfu, room, "guest-bob"))


async def test_a_second_connection_of_the_same_identity_is_the_same_person(
    sfu: Sfu, livekit: LiveKit, room: str, join: Join
) -> None:
    await join(sfu, livekit, room, "guest-ada")
    first = (await sfu.participants(room))[0].sid
    await join(sfu, livekit, room, "guest-ada")
    (person,) = await sfu.participants(room)
    assert person.identity == "guest-ada"
    assert person.sid != first


async def test_somebody_who_is_removed_is_out(sfu: Sfu, livekit: LiveKit, room: str, join: Join) -> None:
    ada = await join(sfu, livekit, room, "guest-ada")
    assert await sfu.remove(room, "guest-ada")
    await until(inside(sfu, room))
    await until(lambda: ada.connection_state != CONNECTED)


async def test_an_open_microphone_is_muted(sfu: Sfu, livekit: LiveKit, room: str, join: Join) -> None:
    ada = await join(sfu, livekit, room, "guest-ada")
    source = rtc.AudioSource(48_000, 1)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    publication = await ada.local_participant.publish_track(track, options)

    async def muted() -> bool:
        return await sfu.mute_microphones(room, "guest-ada") == 1

    await until(muted)
    await until(lambda: publication.muted)
    assert await sfu.mute_microphones(room, "guest-ada") == 0, "it is muted already"
    await source.aclose()


async def test_deleting_a_room_puts_everybody_out(sfu: Sfu, livekit: LiveKit, room: str, join: Join) -> None:
    people = [await join(sfu, livekit, room, f"guest-{name}") for name in ("ada", "bob")]
    assert await sfu.delete_room(room)
    await until(lambda: all(person.connection_state != CONNECTED for person in people))
    assert await identities(sfu, room) == []


async def test_a_full_room_lets_nobody_in(sfu: Sfu, livekit: LiveKit, room: str, join: Join) -> None:
    await make(sfu, room, most=1)
    await join(sfu, livekit, room, "guest-ada")
    with pytest.raises(rtc.ConnectError):
        await join(sfu, livekit, room, "guest-bob")
    assert await identities(sfu, room) == ["guest-ada"]


async def test_a_wrong_secret_is_refused_and_said_to_be_wrong(livekit: LiveKit, room: str) -> None:
    other = ApiKey(livekit.key, "another-secret-of-at-least-thirty-two-characters")
    async with Sfu(livekit.api_url, other) as stranger:
        with pytest.raises(SfuRefused, match=r"sfu\.key"):
            await stranger.participants(room)


async def test_a_wrong_path_is_not_an_empty_room(livekit: LiveKit, room: str) -> None:
    async with Sfu(f"{livekit.api_url}/elsewhere", key_of(livekit)) as lost:
        with pytest.raises(SfuRefused, match=r"sfu\.api_url"):
            await lost.participants(room)


async def test_many_rooms_are_asked_about_at_once(sfu: Sfu, room: str) -> None:
    await make(sfu, room)
    names = [f"{room}-{number}" for number in range(1_200)]
    assert set(await sfu.rooms([*names, room])) == {room}


async def test_an_sfu_that_is_down_is_unreachable_and_then_answers_again(
    make_livekit: Callable[..., LiveKit], room: str, join: Join
) -> None:
    livekit = make_livekit()
    await livekit.start()
    async with Sfu(livekit.api_url, key_of(livekit), patience=Patience(total_ms=300)) as sfu:
        await make(sfu, room)
        await join(sfu, livekit, room, "guest-ada")
        livekit.kill()
        for question in (sfu.participants(room), sfu.rooms([room]), sfu.delete_room(room)):
            with pytest.raises(SfuUnreachable):
                await question
        await livekit.start()
        assert set(await identities(sfu, room)) <= {"guest-ada"}
        await make(sfu, room)
        assert room in await sfu.rooms([room])
    livekit.kill()


async def test_a_restart_within_the_patience_goes_unnoticed(
    make_livekit: Callable[..., LiveKit], room: str
) -> None:
    livekit = make_livekit()
    await livekit.start()
    async with Sfu(livekit.api_url, key_of(livekit), patience=Patience(total_ms=60 * SECOND)) as sfu:
        livekit.kill()
        question = asyncio.create_task(sfu.participants(room))
        await livekit.start()
        assert await question == ()
    livekit.kill()


async def test_an_sfu_that_hangs_is_unreachable_in_time(
    make_livekit: Callable[..., LiveKit], room: str
) -> None:
    livekit = make_livekit()
    await livekit.start()
    async with Sfu(livekit.api_url, key_of(livekit), patience=Patience(200, 500)) as sfu:
        await make(sfu, room)
        livekit.pause()
        async with asyncio.timeout(5):
            with pytest.raises(SfuUnreachable):
                await sfu.participants(room)
        livekit.resume()
        await until(inside(sfu, room))


def webhooks_of(relay: WebhookRelay, room: str) -> list[tuple[Webhook, Hint]]:
    known = ((webhook, peek(webhook.body)) for webhook in list(relay.received))
    return [(webhook, hint) for webhook, hint in known if hint is not None and hint.room_name == room]


async def test_real_webhooks_verify_and_say_what_happened(
    sfu: Sfu, livekit: LiveKit, webhook_relay: WebhookRelay, room: str, join: Join
) -> None:
    await make(sfu, room)
    sid = (await sfu.rooms([room]))[room].sid
    ada = await join(sfu, livekit, room, "guest-ada")
    participant = (await sfu.participants(room))[0].sid
    await ada.disconnect()
    await sfu.delete_room(room)
    await until(lambda: "room_finished" in {hint.kind for _, hint in webhooks_of(webhook_relay, room)})

    hints = [
        verify(webhook.body, webhook.headers["Authorization"], key_of(livekit), now_ms())
        for webhook, _ in webhooks_of(webhook_relay, room)
    ]
    assert {"room_started", "participant_joined", "participant_left", "room_finished"} <= {
        hint.kind for hint in hints
    }
    assert {hint.room_sid for hint in hints} == {sid}
    assert len({hint.event_id for hint in hints}) == len(hints)
    joined = next(hint for hint in hints if hint.kind == "participant_joined")
    assert (joined.identity, joined.participant_sid) == ("guest-ada", participant)
    assert abs(joined.created_ts - now_ms()) < 120 * SECOND


async def test_a_real_webhook_is_taken_once_and_a_forged_one_never(
    sfu: Sfu, livekit: LiveKit, webhook_relay: WebhookRelay, room: str
) -> None:
    await make(sfu, room)
    await until(lambda: webhooks_of(webhook_relay, room))
    webhook, _ = webhooks_of(webhook_relay, room)[0]
    authorization = webhook.headers["Authorization"]
    hints: list[Hint] = []

    def receiver(key: ApiKey) -> WebhookReceiver:
        return WebhookReceiver(key, is_ours=lambda name: name == room, on_hint=hints.append, clock=now_ms)

    ours = receiver(key_of(livekit))
    assert (
        ours.take(webhook.body.replace(b"room_started", b"room_finished"), authorization) is Outcome.REFUSED
    )
    assert ours.take(webhook.body, authorization) is Outcome.TAKEN
    assert ours.take(webhook.body, authorization) is Outcome.REPEATED
    wrong_key = receiver(ApiKey(livekit.key, "another-secret-of-at-least-thirty-two-characters"))
    assert wrong_key.take(webhook.body, authorization) is Outcome.REFUSED
    assert [hint.kind for hint in hints] == ["room_started"]
    with pytest.raises(WebhookRefused):
        verify(webhook.body, "", key_of(livekit), now_ms())


async def test_a_meeting_of_the_livekit_provider_from_its_opening_to_its_end(
    sfu: Sfu, livekit: LiveKit
) -> None:
    provider = LivekitProvider(ProviderParts(sfu, key_of(livekit), "https://visio.example"))
    call = Call(
        id=secrets.token_hex(6),
        room_id="!r:hs",
        state=CallState.OPENING,
        provider="livekit",
        started_by="@ada:hs",
        started_by_name="Ada",
        started_ts=now_ms(),
        secret="s" * 22,
    )
    assert await provider.occupied((call,)) == frozenset()
    meeting = await provider.open(call)
    call = call.but(state=CallState.OPEN, url=meeting.url, sfu_room=meeting.sfu_room)
    assert await provider.occupied((call,)) == {call.id}
    await provider.prepare(call)

    guest = rtc.Room()
    await guest.connect(livekit.url, provider.token(call, Admission("guest-zoe", "Zoé")))

    async def names() -> list[tuple[str, ParticipantKind]]:
        return [(seen.name, seen.kind) for seen in (await provider.who(call)).participants]

    async def zoe_is_in() -> bool:
        return await names() == [("Zoé", ParticipantKind.GUEST)]

    await until(zoe_is_in)
    await provider.close(call)
    await until(lambda: guest.connection_state != CONNECTED)
    assert (await provider.who(call)).participants == ()
    assert await provider.occupied((call,)) == frozenset()
    await provider.close(call)
    await guest.disconnect()
