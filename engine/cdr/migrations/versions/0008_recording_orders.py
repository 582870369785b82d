"""Orders about recordings are kept until they are carried out."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table more; at its start a node repeats what stands in it."""
    moment: Any = sa.String(24).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    op.create_table(
        "recording_orders",
        sa.Column("recording", sa.String(36), primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("recording_orders")
