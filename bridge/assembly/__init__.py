"""The composition root in its parts: settings in, things that run out. Only `bridge.app` builds on it."""

from __future__ import annotations
