"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "calls",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("sfu_room", sa.Text(), nullable=True),
        sa.Column("is_over", sa.Boolean(), nullable=False),
        sa.Column(
            "watch_until_ts", sa.BigInteger(), nullable=False, comment="the reconciler looks at it until then"
        ),
        sa.Column("changed_ts", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False, comment="the call, JSON"),
        sa.Column("shown", sa.Text(), nullable=False, comment="what its card was last told to say, JSON"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.create_index(
            "calls_one_per_room",
            ["room_id"],
            unique=True,
            sqlite_where=sa.text("NOT is_over"),
            postgresql_where=sa.text("NOT is_over"),
        )
        batch_op.create_index("calls_sfu_room", ["sfu_room"], unique=False)
        batch_op.create_index("calls_watched", ["watch_until_ts", "shard"], unique=False)

    op.create_table(
        "inbox",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("received_ts", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, done or quarantined"),
        sa.Column(
            "body", sa.Text(), nullable=True, comment="what was kept of the event; erased once handled"
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "error",
            sa.Text(),
            nullable=True,
            comment="class and place of the last failure, never its message",
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("event_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index(
            "inbox_done",
            ["received_ts"],
            unique=False,
            sqlite_where=sa.text("state = 'done'"),
            postgresql_where=sa.text("state = 'done'"),
        )
        batch_op.create_index(
            "inbox_waiting",
            ["room_id", "seq"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.create_table(
        "outbox",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column(
            "slot",
            sa.Text(),
            nullable=True,
            comment="a newer version replaces an unsent one in the same slot",
        ),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("txn_id", sa.Text(), nullable=False),
        sa.Column("created_ts", sa.BigInteger(), nullable=False),
        sa.Column(
            "frozen", sa.Boolean(), nullable=False, comment="may have been sent: its content must not change"
        ),
        sa.Column("not_before_ts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("txn_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("outbox_room", ["room_id", "seq"], unique=False)

    op.create_table(
        "published",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("is_edit", sa.Boolean(), nullable=False),
        sa.Column("sent_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    with op.batch_alter_table("published", schema=None) as batch_op:
        batch_op.create_index("published_slot", ["room_id", "slot", "sent_ts"], unique=False)

    op.create_table(
        "questions",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("until_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "question", "user_id"),
    )
    op.create_table(
        "replicas",
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("seen_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("replica"),
    )
    op.create_table(
        "room_settings",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True, comment="None: the bot's default"),
        sa.Column("welcomed_ts", sa.BigInteger(), nullable=True),
        sa.Column("told_encrypted_ts", sa.BigInteger(), nullable=True),
        sa.Column("told_missed_ts", sa.BigInteger(), nullable=True),
        sa.Column("told_direct_ts", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("room_id"),
    )
    op.create_table(
        "rooms",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("membership", sa.Text(), nullable=False, comment="the bot's: invite, join or leave"),
        sa.Column("partner", sa.Text(), nullable=True, comment="with whom it is a direct chat of the bot's"),
        sa.Column("state", sa.Text(), nullable=False, comment="cached state events, JSON by event type"),
        sa.Column(
            "fetched_ts", sa.BigInteger(), nullable=True, comment="when the whole cached state was last read"
        ),
        sa.PrimaryKeyConstraint("room_id"),
    )
    op.create_table(
        "set_aside",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="transaction or event"),
        sa.Column("reference", sa.Text(), nullable=False, comment="transaction id or event id"),
        sa.Column("length", sa.BigInteger(), nullable=False, comment="bytes"),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("kind", "reference", "sha256", name="set_aside_once"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "shards",
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("until_ts", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("shard"),
    )
    op.create_table(
        "visitors",
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="a hash; names nobody"),
        sa.Column(
            "participant", sa.Text(), nullable=True, comment="who it is, JSON; only with calls.names: keep"
        ),
        sa.PrimaryKeyConstraint("call_id", "person"),
    )


def downgrade() -> None:

    op.drop_table("visitors")
    op.drop_table("shards")
    op.drop_table("set_aside")
    op.drop_table("rooms")
    op.drop_table("room_settings")
    op.drop_table("replicas")
    op.drop_table("questions")
    with op.batch_alter_table("published", schema=None) as batch_op:
        batch_op.drop_index("published_slot")

    op.drop_table("published")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("outbox_room")

    op.drop_table("outbox")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index(
            "inbox_waiting",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.drop_index(
            "inbox_done", sqlite_where=sa.text("state = 'done'"), postgresql_where=sa.text("state = 'done'")
        )

    op.drop_table("inbox")
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_index("calls_watched")
        batch_op.drop_index("calls_sfu_room")
        batch_op.drop_index(
            "calls_one_per_room", sqlite_where=sa.text("NOT is_over"), postgresql_where=sa.text("NOT is_over")
        )

    op.drop_table("calls")
