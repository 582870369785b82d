"""Queues: what calls have waited for, the state of agents and callbacks, statistics per interval."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three columns more of a call; one row per agent and callback; one per queue or agent and interval."""
    moment: Any = sa.String(24).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    document: Any = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("calls", sa.Column("queue", sa.Text, nullable=False, server_default=""))
    op.add_column("calls", sa.Column("agent", sa.Text, nullable=False, server_default=""))
    op.add_column("calls", sa.Column("waited_ms", sa.BigInteger))
    op.create_table(
        "acd_states",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("node", "kind", "name")),
        sa.Column("state", document, nullable=False),
        sa.Column("saved", moment, nullable=False),
    )
    op.create_table(
        "queue_intervals",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("node", "kind", "name")),
        sa.Column("started", moment, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("seconds", sa.Integer, nullable=False),
        sa.Column("figures", document, nullable=False),
    )
    op.create_index("queue_intervals_by_tenant", "queue_intervals", ["tenant", "started"])


def downgrade() -> None:
    """Forget them."""
    op.drop_table("queue_intervals")
    op.drop_table("acd_states")
    for name in ("waited_ms", "agent", "queue"):
        op.drop_column("calls", name)
