"""The runtime's tables. Their migrations live with the application's own, in one alembic history."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

# SQLite numbers rows only in a column declared INTEGER.
_Sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("shard", sa.SmallInteger, nullable=False),
    sa.Column("received_ts", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="waiting, done or quarantined"),
    sa.Column("body", sa.Text, comment="what was kept of the event; erased once handled"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text, comment="class and place of the last failure, never its message"),
    sqlite_autoincrement=True,
)
sa.Index(
    "inbox_waiting",
    inbox.c.room_id,
    inbox.c.seq,
    sqlite_where=sa.text("state = 'waiting'"),
    postgresql_where=sa.text("state = 'waiting'"),
)
sa.Index(
    "inbox_done",
    inbox.c.received_ts,
    sqlite_where=sa.text("state = 'done'"),
    postgresql_where=sa.text("state = 'done'"),
)

set_aside = sa.Table(
    "set_aside",
    metadata,
    sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False, comment="transaction or event"),
    sa.Column("reference", sa.Text, nullable=False, comment="transaction id or event id"),
    sa.Column("length", sa.BigInteger, nullable=False, comment="bytes"),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("received_ts", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("kind", "reference", "sha256", name="set_aside_once"),
    sqlite_autoincrement=True,
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("shard", sa.SmallInteger, nullable=False),
    sa.Column("slot", sa.Text, comment="a newer version replaces an unsent one in the same slot"),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("txn_id", sa.Text, nullable=False, unique=True),
    sa.Column("created_ts", sa.BigInteger, nullable=False),
    sa.Column(
        "frozen", sa.Boolean, nullable=False, comment="may have been sent: its content must not change"
    ),
    sa.Column("not_before_ts", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
sa.Index("outbox_room", outbox.c.room_id, outbox.c.seq)

published = sa.Table(
    "published",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("slot", sa.Text, nullable=False),
    sa.Column("is_edit", sa.Boolean, nullable=False),
    sa.Column("sent_ts", sa.BigInteger, nullable=False),
)
sa.Index("published_slot", published.c.room_id, published.c.slot, published.c.sent_ts)

rooms = sa.Table(
    "rooms",
    metadata,
    sa.Column("room_id", sa.Text, primary_key=True),
    sa.Column("membership", sa.Text, nullable=False, comment="the bot's: invite, join or leave"),
    sa.Column("partner", sa.Text, comment="with whom it is a direct chat of the bot's"),
    sa.Column("state", sa.Text, nullable=False, comment="cached state events, JSON by event type"),
    sa.Column("fetched_ts", sa.BigInteger, comment="when the whole cached state was last read"),
)

shards = sa.Table(
    "shards",
    metadata,
    sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.Text),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("until_ts", sa.BigInteger, nullable=False, server_default="0"),
)

replicas = sa.Table(
    "replicas",
    metadata,
    sa.Column("replica", sa.Text, primary_key=True),
    sa.Column("seen_ts", sa.BigInteger, nullable=False),
)
