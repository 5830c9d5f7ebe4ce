"""Passerelle: Visio meetings inside Matrix rooms."""

from __future__ import annotations
