"""The bridge's own tables, in the same database and alembic history as the runtime's."""

from __future__ import annotations

import sqlalchemy as sa

from appservice.tables import metadata

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("shard", sa.SmallInteger, nullable=False),
    sa.Column("sfu_room", sa.Text),
    sa.Column("is_over", sa.Boolean, nullable=False),
    sa.Column(
        "watch_until_ts", sa.BigInteger, nullable=False, comment="the reconciler looks at it until then"
    ),
    sa.Column("changed_ts", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("call", sa.Text, nullable=False, comment="the call, JSON"),
    sa.Column("shown", sa.Text, nullable=False, comment="what its card was last told to say, JSON"),
)
# A room has at most one call that is not over, whatever happens at once.
sa.Index(
    "calls_one_per_room",
    calls.c.room_id,
    unique=True,
    sqlite_where=sa.text("NOT is_over"),
    postgresql_where=sa.text("NOT is_over"),
)
sa.Index("calls_watched", calls.c.watch_until_ts, calls.c.shard)
sa.Index("calls_sfu_room", calls.c.sfu_room)

visitors = sa.Table(
    "visitors",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True, comment="a hash; names nobody"),
    sa.Column("participant", sa.Text, comment="who it is, JSON; only with calls.names: keep"),
)

room_settings = sa.Table(
    "room_settings",
    metadata,
    sa.Column("room_id", sa.Text, primary_key=True),
    sa.Column("language", sa.Text, comment="None: the bot's default"),
    sa.Column("welcomed_ts", sa.BigInteger),
    sa.Column("told_encrypted_ts", sa.BigInteger),
    sa.Column("told_missed_ts", sa.BigInteger),
    sa.Column("told_direct_ts", sa.BigInteger),
)

offers = sa.Table(
    "offers",
    metadata,
    sa.Column("room_id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True, comment="the message with the link"),
    sa.Column("url", sa.Text, nullable=False, comment="the link that could be followed"),
    sa.Column("until_ts", sa.BigInteger, nullable=False),
)

questions = sa.Table(
    "questions",
    metadata,
    sa.Column("room_id", sa.Text, primary_key=True),
    sa.Column("question", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("until_ts", sa.BigInteger, nullable=False),
)

rtc_faces = sa.Table(
    "rtc_faces",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    # As a digest: people choose it in Visio, and no database takes every string.
    sa.Column("identity", sa.Text, primary_key=True, comment="of the participant in the SFU"),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("shard", sa.SmallInteger, nullable=False),
    sa.Column("renew_ts", sa.BigInteger, nullable=False),
    sa.Column("face", sa.Text, nullable=False, comment="as whom Matrix sees them, JSON"),
)
sa.Index("rtc_faces_renewal", rtc_faces.c.renew_ts, rtc_faces.c.shard)

rtc_guards = sa.Table(
    "rtc_guards",
    metadata,
    sa.Column("room_id", sa.Text, primary_key=True),
    sa.Column("state_key", sa.Text, primary_key=True),
    sa.Column("shard", sa.SmallInteger, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("delay_id", sa.Text, nullable=False),
    sa.Column("restart_ts", sa.BigInteger, nullable=False),
)

rtc_leaves = sa.Table(
    "rtc_leaves",
    metadata,
    sa.Column("room_id", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text, primary_key=True, comment="in the SFU"),
    sa.Column("hashed", sa.Text, nullable=False, comment="in the SFU, if the membership is sticky"),
    sa.Column("shard", sa.SmallInteger, nullable=False),
    sa.Column("delay_id", sa.Text, nullable=False),
    sa.Column("timeout_ms", sa.BigInteger, nullable=False),
    sa.Column("restart_ts", sa.BigInteger, nullable=False),
    sa.Column("patient_until_ts", sa.BigInteger, nullable=False),
)

rtc_natives = sa.Table(
    "rtc_natives",
    metadata,
    sa.Column("room_id", sa.Text, primary_key=True),
    sa.Column("state_key", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("device_id", sa.Text, nullable=False),
    sa.Column("service_url", sa.Text, nullable=False, comment="where they publish"),
    sa.Column("until_ts", sa.BigInteger, nullable=False),
    sa.Column("member_id", sa.Text, nullable=False, server_default="", comment="of a sticky membership"),
)
sa.Index("rtc_natives_until", rtc_natives.c.until_ts)
