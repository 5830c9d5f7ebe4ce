"""State events that the homeserver sends by itself unless somebody keeps putting that off (MSC4140).

They undo what we wrote should we die. Homeservers have them under the proposal's unstable paths.
"""

from __future__ import annotations

from mautrix.api import PathBuilder

from appservice.client import V3, Client
from appservice.errors import MatrixError

_CAPABILITY = "org.matrix.msc4140.delayed_events"
_DELAYED = PathBuilder("_matrix/client/unstable/org.matrix.msc4140").delayed_events


class DelayedState:
    """Every method raises what `appservice.client.Client.request` raises."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def schedule_empty(
        self, user_id: str, room_id: str, event_type: str, state_key: str, delay_ms: int
    ) -> str:
        """Have a state event emptied after a while, in a user's name; answers the delay's id."""
        answer = await self._client.request(
            "PUT",
            V3.rooms[room_id].state[event_type][state_key],
            {},
            user_id=user_id,
            query={"org.matrix.msc4140.delay": str(delay_ms)},
        )
        delay_id = answer.get("delay_id")
        if not isinstance(delay_id, str):
            # A homeserver that does not know delays has sent the event at once.
            raise MatrixError(501, "M_UNRECOGNIZED", "an answer without delay_id")
        return delay_id

    async def restart(self, user_id: str, delay_id: str) -> None:
        """Begin the while anew; 404 if the event was sent or cancelled."""
        await self._client.request("POST", _DELAYED[delay_id].restart, {}, user_id=user_id)

    async def cancel(self, user_id: str, delay_id: str) -> None:
        """Do not send the event after all; 404 if it was sent."""
        await self._client.request("POST", _DELAYED[delay_id].cancel, {}, user_id=user_id)

    async def longest(self, user_id: str) -> int:
        """The longest delay that the homeserver takes, milliseconds; 0 if it has no delayed events."""
        answer = await self._client.request("GET", V3.capabilities, user_id=user_id)
        capabilities = answer.get("capabilities")
        offered = capabilities.get(_CAPABILITY) if isinstance(capabilities, dict) else None
        longest = offered.get("max_delay_ms", 0) if isinstance(offered, dict) else 0
        return longest if type(longest) is int else 0


class HandedOver:
    """Delays of other people, who have handed them over: whoever knows their ids may act on them.

    Homeservers are about to close that door, so it is tried before anybody relies on it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def can_be_acted_on(self) -> bool:
        """Whether the homeserver lets us: of a delay that nobody has it then says that there is none."""
        try:
            await self.restart("passerelle-probe")
        except MatrixError as error:
            return (error.status, error.errcode) == (404, "M_NOT_FOUND")
        return False

    async def restart(self, delay_id: str) -> None:
        """Put the event off."""
        await self._client.request("POST", _DELAYED[delay_id].restart, {}, anonymous=True)

    async def send(self, delay_id: str) -> None:
        """Send the event now."""
        await self._client.request("POST", _DELAYED[delay_id].send, {}, anonymous=True)
