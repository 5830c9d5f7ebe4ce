"""The heart: what a call is and how it changes. Pure; no HTTP, no SQL."""

from __future__ import annotations
