"""A small Matrix client for the demo and the tests: one room's messages, and its call in Element Call.

Its TypeScript source is here. What it is made of, Element Call's package above all, comes from npm into
the cache of installed servers; nothing of that is in the package that ships.
"""

from __future__ import annotations
