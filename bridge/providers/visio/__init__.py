"""Meetings in La Suite's Visio (Meet): made through its external API, or found behind a link."""

from __future__ import annotations
