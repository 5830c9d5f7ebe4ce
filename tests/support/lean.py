"""A homeserver that does nothing for its own sake: a sixth of its work is what no test ever looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEAN: Mapping[str, Any] = {
    "presence": {"enabled": False},
    "push": {"enabled": False},
    "stats": {"enabled": False},
    "user_directory": {"enabled": False},
    "enable_room_list_search": False,
}
"""For ``Synapse(settings=...)``."""
