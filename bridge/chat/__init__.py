"""What happens in rooms: commands, invitations, kicks, redactions, upgrades, encryption."""

from __future__ import annotations
