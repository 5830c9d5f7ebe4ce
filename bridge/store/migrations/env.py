"""Runs the alembic history on a connection that the application hands in."""

from __future__ import annotations

from alembic import context

from appservice.tables import metadata
from bridge.store.tables import calls

# Importing the bridge's tables adds them to the runtime's metadata.
assert calls.metadata is metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
