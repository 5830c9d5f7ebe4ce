"""Why a bridge does not start."""

from __future__ import annotations


class CannotStart(Exception):
    """The settings are valid, but the bridge cannot run with them.

    The message says what is wrong and what the administrator can do.
    """
