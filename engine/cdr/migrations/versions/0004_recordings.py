"""Recordings: what there is, and what is used."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORDS = ("conference", "state", "reason", "demanded_by", "channels", "format", "caller", "called", "parties")
FLAGS = ("is_pending", "is_recovered", "is_encrypted")


def upgrade() -> None:
    """One row per recording, and what is counted of a tenant day by day."""
    moment: Any = sa.String(24).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    document: Any = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("call", sa.String(36)),
        *(sa.Column(name, sa.Text, nullable=False) for name in WORDS),
        sa.Column("started", moment, nullable=False),
        sa.Column("ended", moment),
        sa.Column("ms", sa.BigInteger, nullable=False),
        sa.Column("files", document, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("stored", moment),
        sa.Column("store", sa.Text, nullable=False),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in FLAGS),
        sa.Column("masked_ms", sa.BigInteger, nullable=False),
        sa.Column("is_held", sa.Boolean, nullable=False),
        sa.Column("erased", moment),
    )
    op.create_index("recordings_by_tenant", "recordings", ["tenant", "id"])
    op.create_index("recordings_by_call", "recordings", ["call"])
    op.create_index("recordings_by_state", "recordings", ["node", "state"])
    op.create_table(
        "usage",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Forget them; the files stay."""
    op.drop_table("usage")
    op.drop_table("recordings")
