"""Call → what is written to Matrix: pure functions, one file each."""

from __future__ import annotations
