"""The bridge's tables and queries, and the one history of the database's schema."""

from __future__ import annotations
