"""Profiles: sets of defaults for a kind of installation. What file or environment say wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "generic": {},
    # Tchap: externals may not be joined to internal rooms under another name, people are authenticated by
    # ProConnect, and rooms can be large.
    "tchap": {
        "ghosts": "none",
        "visio": {"owner": "user", "access_level": "trusted", "adopt_links": "ask"},
        "limits": {"large_room": 200},
    },
}
