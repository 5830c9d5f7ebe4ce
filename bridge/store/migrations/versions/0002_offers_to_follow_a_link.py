"""Offers to follow a link"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offers",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False, comment="the message with the link"),
        sa.Column("url", sa.Text(), nullable=False, comment="the link that could be followed"),
        sa.Column("until_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "event_id"),
    )


def downgrade() -> None:
    op.drop_table("offers")
