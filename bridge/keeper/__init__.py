"""Keeps calls right: when to look at each, what a look changes, and the card that follows from it."""

from __future__ import annotations
