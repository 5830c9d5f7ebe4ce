"""Sticky memberships, and SFU identities that no database takes"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rtc_natives",
        sa.Column(
            "member_id", sa.Text(), nullable=False, server_default="", comment="of a sticky membership"
        ),
    )
    # The identity itself stands in the face.
    faces = sa.table("rtc_faces", sa.column("call_id", sa.Text), sa.column("identity", sa.Text))
    connection = op.get_bind()
    for call_id, identity in connection.execute(sa.select(faces.c.call_id, faces.c.identity)).all():
        connection.execute(
            sa.update(faces)
            .where(faces.c.call_id == call_id, faces.c.identity == identity)
            .values(identity=hashlib.sha256(identity.encode()).hexdigest())
        )


def downgrade() -> None:
    op.drop_column("rtc_natives", "member_id")
