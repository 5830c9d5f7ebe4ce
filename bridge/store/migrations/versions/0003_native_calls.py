"""Native calls: who stands for whom, and who is in"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rtc_faces",
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False, comment="of the participant in the SFU"),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("renew_ts", sa.BigInteger(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False, comment="as whom Matrix sees them, JSON"),
        sa.PrimaryKeyConstraint("call_id", "identity"),
    )
    op.create_index("rtc_faces_renewal", "rtc_faces", ["renew_ts", "shard"])
    op.create_table(
        "rtc_guards",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("state_key", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("delay_id", sa.Text(), nullable=False),
        sa.Column("restart_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "state_key"),
    )
    op.create_table(
        "rtc_natives",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("state_key", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("service_url", sa.Text(), nullable=False, comment="where they publish"),
        sa.Column("until_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "state_key"),
    )
    op.create_index("rtc_natives_until", "rtc_natives", ["until_ts"])


def downgrade() -> None:
    op.drop_table("rtc_natives")
    op.drop_table("rtc_guards")
    op.drop_table("rtc_faces")
