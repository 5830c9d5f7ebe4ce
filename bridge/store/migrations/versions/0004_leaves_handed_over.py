"""Leave events that clients of native calls have handed over"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rtc_leaves",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False, comment="in the SFU"),
        sa.Column("hashed", sa.Text(), nullable=False, comment="in the SFU, if the membership is sticky"),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("delay_id", sa.Text(), nullable=False),
        sa.Column("timeout_ms", sa.BigInteger(), nullable=False),
        sa.Column("restart_ts", sa.BigInteger(), nullable=False),
        sa.Column("patient_until_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "identity"),
    )


def downgrade() -> None:
    op.drop_table("rtc_leaves")
