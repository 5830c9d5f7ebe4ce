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

ABOUT: Mapping[str, str] = {
    "tchap": "For a ministry's homeserver in Tchap: no ghosts; in Visio a meeting belongs to whoever asked"
    " for it and lets in people who log in; links are followed when somebody agrees; in rooms above 200"
    " members only moderators start meetings. The example of a policy lets every ministry start meetings,"
    " and externals take part.",
}
"""What a profile means, for the head of its sample."""

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "tchap": {
        "visio": {"emails": {"agent.dinum.tchap.gouv.fr": ["*-dinum.gouv.fr", "*-numerique.gouv.fr"]}},
        "policy": {"*.tchap.gouv.fr": "start", "agent.externe.tchap.gouv.fr": "publish"},
    },
}
"""Examples that fit a profile better than the setting's own, in the form of `PROFILES`."""
