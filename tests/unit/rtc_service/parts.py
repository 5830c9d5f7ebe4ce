"""A house without neighbours: rooms, members and proofs are what the test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appservice.federation.errors import LookupFailed, TokenRefused
from bridge.calls.model import Call, CallState
from bridge.policy import Policy
from bridge.rtc.authorization import Addresses, Authorization, Gate
from bridge.rtc.delegation import Delegation
from bridge.rtc.doorkeeper import Doorkeeper
from bridge.rtc.identities import ROOM_SLOT
from bridge.rtc.membership import Membership
from bridge.rtc.passes import Passes
from bridge.rtc.plain_tokens import PlainTokens
from bridge.rtc.ports import RoomMember, RoomView
from bridge.rtc.requests import Ask
from bridge.rtc.restraint import Restraint
from bridge.sfu.client import Sfu
from bridge.sfu.model import RoomInfo
from bridge.sfu.tokens import ApiKey

ROOM = "!room:example.org"
SECRET = "a-secret-of-at-least-thirty-two-characters"
KEY = ApiKey("key", SECRET)
ALICE, BOB, EVE = "@alice:example.org", "@bob:other.example", "@eve:evil.example"
ADDRESSES = Addresses("wss://bridge.example/livekit", "wss://sfu.example", "https://bridge.example/livekit")
NOW = 1_800_000_000_000

CALL = Call(
    id="c1",
    room_id=ROOM,
    state=CallState.OPEN,
    provider="visio",
    started_by=ALICE,
    started_by_name="Alice",
    started_ts=NOW,
    url="https://visio.example/abc",
    sfu_room="visio-room",
    access="public",
)


def call(**changes: object) -> Call:
    return CALL.but(**changes)


def view(a_call: Call | None = None, *, encrypted: bool = False) -> RoomView:
    return RoomView(ROOM, has_bot=True, encrypted=encrypted, call=a_call)


class SfuWithoutServer(Sfu):
    """Notes which rooms are made."""

    def __init__(self) -> None:
        super().__init__("http://sfu.invalid", KEY)
        self.made: list[str] = []

    async def create_room(
        self, name: str, *, empty_timeout_ms: int, departure_timeout_ms: int, max_participants: int
    ) -> RoomInfo:
        self.made.append(name)
        return RoomInfo("RM_1", 0, "")


@dataclass
class House:
    """Everything that the services ask, and what they asked.

    Attributes:
        rooms: What is known of rooms.
        joined: Who is in which room; None stands for a homeserver that does not say.
        tokens: Who holds which OpenID token.
        failure: What look-ups end with.
        looked_up: Servers that were asked.
        refused: What ``on_refused`` was told.
        plainly: What ``on_plainly`` was told.
        noted: The memberships that every room has.
    """

    rooms: dict[str, RoomView] = field(default_factory=dict)
    joined: dict[tuple[str, str], bool | None] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=lambda: {"alice": ALICE, "bob": BOB, "eve": EVE})
    failure: LookupFailed | None = None
    looked_up: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    plainly: list[tuple[str, str]] = field(default_factory=list)
    noted: list[Membership] = field(default_factory=list)
    fault: Exception | None = None
    present: frozenset[str] = frozenset({"example.org", "other.example"})
    rules: Mapping[str, str] = field(default_factory=dict)
    sfu: SfuWithoutServer = field(default_factory=SfuWithoutServer)
    passes: Passes = field(default_factory=lambda: Passes(SECRET, lambda: NOW))

    async def view(self, room_id: str) -> RoomView:
        if self.fault is not None:
            raise self.fault
        return self.rooms.get(room_id, RoomView(room_id))

    async def member(self, room_id: str, user_id: str) -> RoomMember:
        return RoomMember(self.joined.get((room_id, user_id), True), "Somebody")

    async def of_room(self, _room_id: str) -> list[Membership]:
        return self.noted

    async def servers(self, _room_id: str) -> frozenset[str]:
        return self.present

    async def verify(self, token: str, server_name: str) -> str:
        self.looked_up.append(server_name)
        if self.failure is not None:
            raise self.failure
        if token not in self.tokens:
            raise TokenRefused("unknown")
        return self.tokens[token]

    def doorkeeper(self) -> Doorkeeper:
        policy = Policy(self.rules, "example.org")
        return Doorkeeper(policy=policy, own_server="example.org", rooms=self, members=self)

    def plain(self) -> PlainTokens:
        return PlainTokens(self.sfu, KEY, lambda: NOW)

    def authorization(
        self,
        gate: Gate = "rooms_with_bot",
        restraint: Restraint | None = None,
        delegation: Delegation | None = None,
    ) -> Authorization:
        made = Authorization(
            verifier=self,
            doorkeeper=self.doorkeeper(),
            passes=self.passes,
            plain=self.plain(),
            addresses=ADDRESSES,
            gate=gate,
            restraint=restraint,
            on_refused=lambda room, server: self.refused.append((room, server)),
            delegation=delegation,
        )
        made.on_plainly(lambda room, identity: self.plainly.append((room, identity)))
        return made


def ask_of(user: str = "alice", **changes: object) -> Ask:
    server = {"alice": "example.org", "bob": "other.example", "eve": "evil.example"}[user]
    return replace(Ask(ROOM, ROOM_SLOT, user, server, "PHONE"), **changes)  # type: ignore[arg-type]
