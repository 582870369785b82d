"""Who decides for the queues of a node; intervals of statistics are found by their time."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One row per node, which only whoever holds its latest token may write for."""
    moment: Any = sa.String(24).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    op.create_table(
        "acd_owners",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires", moment, nullable=False),
    )
    op.create_index("queue_intervals_by_start", "queue_intervals", ["node", "started"])


def downgrade() -> None:
    """Forget them."""
    op.drop_index("queue_intervals_by_start", "queue_intervals")
    op.drop_table("acd_owners")
