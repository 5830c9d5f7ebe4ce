"""A desk with plain Python behind it."""

from __future__ import annotations

from bridge.calls.model import Call, CallState, ParticipantKind
from bridge.calls.ports import Admission, Meeting, Seen, SfuUnreachable, Sight
from bridge.sfu.model import IceServer
from bridge.web.desk import Desk

SECRET = "s3cret-of-the-link"
VISITOR = "0123456789abcdef0123456789abcdef"


def a_call(**changes: object) -> Call:
    return Call(
        id="abc123",
        room_id="!room:example.org",
        state=CallState.OPEN,
        provider="livekit",
        started_by="@marie:example.org",
        started_by_name="Marie",
        started_ts=0,
        subject="Point budget",
        sfu_room="passerelle-abc123",
        secret=SECRET,
    ).but(**changes)


def seen(identity: str, *, hidden: bool = False) -> Seen:
    return Seen(identity, "Somebody", ParticipantKind.GUEST, False, None, 0, hidden)


class FakeProvider:
    """Remembers what was asked of it, in order."""

    name = "livekit"

    def __init__(self) -> None:
        self.inside: tuple[Seen, ...] = ()
        self.reachable = True
        self.asked: list[str] = []

    def _reach(self, what: str) -> None:
        if not self.reachable:
            raise SfuUnreachable
        self.asked.append(what)

    async def open(self, call: Call) -> Meeting:
        raise AssertionError("the desk opens no meeting")

    async def prepare(self, call: Call) -> None:
        self._reach("prepare")

    async def locate(self, call: Call) -> Meeting | None:
        raise AssertionError("the desk looks for no meeting")

    async def who(self, call: Call) -> Sight:
        self._reach("who")
        return Sight(self.inside)

    def token(self, call: Call, admission: Admission) -> str:
        return f"token for {admission.identity} as {admission.name} in {call.sfu_room}"

    async def occupied(self, calls: tuple[Call, ...]) -> frozenset[str]:
        raise AssertionError("the desk does not ask")

    async def remove(self, call: Call, identity: str) -> None:
        raise AssertionError("the desk removes nobody")

    async def mute(self, call: Call, identity: str) -> None:
        raise AssertionError("the desk mutes nobody")

    async def close(self, call: Call) -> None:
        raise AssertionError("the desk closes nothing")


class World:
    """Calls, a provider and a desk between them."""

    def __init__(
        self, call: Call | None = None, *, max_participants: int = 150, resumable: bool = False
    ) -> None:
        self.call = call
        self.provider = FakeProvider()
        self.hints: list[str] = []
        self.lookups = 0
        self.desk = Desk(
            find=self._find,
            resumable=lambda _call: resumable,
            provider=self.provider,
            joined=lambda call: self.hints.append(call.id),
            sfu_url="wss://sfu.example.org",
            ice_servers=(IceServer(("turn:turn.example.org",), "user", "pass"),),
            max_participants=max_participants,
        )

    async def _find(self, call_id: str) -> Call | None:
        self.lookups += 1
        return self.call if self.call is not None and self.call.id == call_id else None
