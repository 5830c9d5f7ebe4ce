"""What organisers and people in a meeting do with Visio's own page, which has LiveKit do it.

Meet's ``RoomManagement``, ``ParticipantsManagement`` and recording services.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from livekit import api

from bridge.demo.visio.public import SfuAddress
from bridge.demo.visio.world import Access, Role, Room, User

_LISTED_WITHIN_S = 10.0
_ASK_AGAIN_S = 0.02


class Organiser:
    """Somebody with all rights in all meetings. Every method may be called from any event loop."""

    def __init__(self, sfu: SfuAddress) -> None:
        self._sfu = sfu

    # The meeting

    async def change_access(self, room: Room, access: str) -> None:
        """Let other people in without being let in; the SFU room's metadata says so from now on."""
        room.access_level = Access(access)
        await self._tell_configuration(room)

    async def configure(self, room: Room, **configuration: Any) -> None:
        """Change what people may do."""
        room.configuration = {**(room.configuration or {}), **configuration}
        await self._tell_configuration(room)

    async def start_recording(self, room: Room, *, mode: str = "screen_recording") -> None:
        """Start a recording, or with ``transcript`` a transcription; it is on its way, not on yet."""
        await self.change_metadata(room.id, {"recording_mode": mode, "recording_status": "starting"})

    async def recording_runs(self, room: Room) -> None:
        """The recorder has begun (``egress_updated``: active)."""
        await self.change_metadata(room.id, {"recording_status": "started"})

    async def stop_recording(self, room: Room) -> None:
        """Ask the recorder to end; it saves what it has."""
        await self.change_metadata(room.id, {"recording_status": "saving"})

    async def recording_ended(self, room: Room) -> None:
        """The recorder is gone (``egress_ended``)."""
        await self.change_metadata(room.id, {}, remove=("recording_mode", "recording_status"))

    # The people

    async def raise_hand(self, room: Room | str, identity: str, *, raised: bool = True) -> None:
        """Somebody raises or lowers a hand."""
        since = datetime.now(UTC).isoformat() if raised else ""
        await self._update(room, identity, attributes={"handRaisedAt": since})

    async def rename(self, room: Room | str, identity: str, name: str) -> None:
        """Somebody goes by another name from now on."""
        await self._update(room, identity, name=name)

    async def change_role(self, room: Room, user: User, role: str) -> None:
        """Make somebody with an account, who is in the meeting, an organiser or a plain member."""
        room.roles[user.id] = Role(role)
        await self._update(room, str(user.sub), attributes={"room_role": role})

    async def remove(self, room: Room | str, identity: str) -> None:
        """Put somebody out."""
        async with self._livekit() as livekit:
            who = api.RoomParticipantIdentity(room=_name(room), identity=identity)
            await livekit.room.remove_participant(who)

    async def change_metadata(
        self, sfu_room: str, new: dict[str, Any], *, remove: tuple[str, ...] = ()
    ) -> bool:
        """Merge into the metadata of an SFU room; False if there is no such room at the moment."""
        async with self._livekit() as livekit:
            found = await livekit.room.list_rooms(api.ListRoomsRequest(names=[sfu_room]))
            if not found.rooms:
                return False
            metadata = json.loads(found.rooms[0].metadata or "{}")
            kept = {key: value for key, value in metadata.items() if key not in remove}
            text = json.dumps({**kept, **new})
            await livekit.room.update_room_metadata(
                api.UpdateRoomMetadataRequest(room=sfu_room, metadata=text)
            )
            # LiveKit takes its time to list what it was told, and Meet merges into what is listed: the next
            # change would undo this one.
            async with asyncio.timeout(_LISTED_WITHIN_S):
                while found.rooms and found.rooms[0].metadata != text:
                    await asyncio.sleep(_ASK_AGAIN_S)
                    found = await livekit.room.list_rooms(api.ListRoomsRequest(names=[sfu_room]))
        return True

    async def _tell_configuration(self, room: Room) -> None:
        told = {"configuration": room.configuration, "access_level": room.access_level}
        await self.change_metadata(room.id, told)

    async def _update(self, room: Room | str, identity: str, **changes: Any) -> None:
        async with self._livekit() as livekit:
            # Meet writes the text "null" into the metadata whenever it changes anything else.
            request = api.UpdateParticipantRequest(
                room=_name(room), identity=identity, metadata="null", **changes
            )
            await livekit.room.update_participant(request)

    @asynccontextmanager
    async def _livekit(self) -> AsyncIterator[api.LiveKitAPI]:
        livekit = api.LiveKitAPI(self._sfu.api_url, self._sfu.key, self._sfu.secret)
        try:
            yield livekit
        finally:
            await livekit.aclose()


def _name(room: Room | str) -> str:
    return room if isinstance(room, str) else room.id
