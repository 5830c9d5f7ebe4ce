"""Who is ours on the homeserver: the bot and its ghosts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Namespace:
    """The users that the registration reserves.

    Attributes:
        server_name: The homeserver's name.
        bot: The bot's localpart.
        ghost_prefix: What every ghost's localpart begins with.
    """

    server_name: str
    bot: str
    ghost_prefix: str

    @property
    def bot_id(self) -> str:
        """The bot's full user id."""
        return f"@{self.bot}:{self.server_name}"

    def ghost_id(self, name: str) -> str:
        """The full user id of a ghost."""
        return f"@{self.ghost_prefix}{name}:{self.server_name}"

    def is_ghost(self, user_id: str) -> bool:
        """Whether a user id is one of our ghosts'."""
        return user_id.startswith(f"@{self.ghost_prefix}") and user_id.endswith(f":{self.server_name}")

    def is_ours(self, user_id: str) -> bool:
        """Whether a user id is the bot's or a ghost's."""
        return user_id == self.bot_id or self.is_ghost(user_id)
