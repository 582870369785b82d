"""Call records: calls, their legs, calls in progress, and when each node was last alive."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def moment() -> Any:
    """UTC: a time stamp in PostgreSQL, text elsewhere."""
    return sa.String(24).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def document() -> Any:
    """A map or a list."""
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Create everything."""
    create_calls()
    create_legs()
    create_open_calls()
    op.create_table("nodes", sa.Column("name", sa.Text, primary_key=True), sa.Column("alive", moment(), nullable=False))


def create_calls() -> None:
    """One row per finished call."""
    op.create_table(
        "calls",
        sa.Column("id", sa.String(36), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("node", "tenant", "trunk_in", "trunk_out")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("caller", "called", "route")),
        sa.Column("plan", document(), nullable=False),
        sa.Column("started", moment(), nullable=False),
        sa.Column("ringing", moment()),
        sa.Column("answered", moment()),
        sa.Column("ended", moment(), nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("q850", sa.Integer),
        sa.Column("hung_up_by", sa.Text, nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("billed_s", sa.BigInteger, nullable=False),
        sa.Column("linked", sa.String(36)),
        sa.Column("parent", sa.String(36)),
        *(sa.Column(name, document(), nullable=False) for name in ("custom", "x_headers", "recordings")),
    )
    op.create_index("calls_by_tenant", "calls", ["tenant", "id"])
    op.create_index("calls_by_start", "calls", ["started"])
    op.create_index("calls_by_link", "calls", ["linked"])


def create_legs() -> None:
    """One row per leg of a finished call."""
    op.create_table(
        "legs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("call", sa.String(36), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("role", "direction", "trunk", "sip_call_id", "target")),
        sa.Column("status", sa.Integer),
        sa.Column("q850", sa.Integer),
        sa.Column("codec", sa.Text, nullable=False),
        sa.Column("started", moment(), nullable=False),
        *(sa.Column(name, moment()) for name in ("ringing", "answered", "ended")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("packets_in", "packets_out", "lost", "late")),
        sa.Column("dropped_source", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Float) for name in ("jitter_ms", "rtt_ms", "mos")),
    )
    op.create_index("legs_by_call", "legs", ["call"])
    op.create_index("legs_by_sip_call_id", "legs", ["sip_call_id"])


def create_open_calls() -> None:
    """One row per call in progress."""
    op.create_table(
        "open_calls",
        sa.Column("id", sa.String(36), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("node", "tenant", "trunk_in", "caller", "called")),
        sa.Column("started", moment(), nullable=False),
        sa.Column("answered", moment()),
        sa.Column("leg", sa.String(36), nullable=False),
        sa.Column("sip_call_id", sa.Text, nullable=False),
        sa.Column("linked", sa.String(36)),
        sa.Column("parent", sa.String(36)),
        *(sa.Column(name, document(), nullable=False) for name in ("custom", "x_headers")),
    )
    op.create_index("open_calls_by_node", "open_calls", ["node"])


def downgrade() -> None:
    """Drop everything."""
    for table in ("calls", "legs", "open_calls", "nodes"):
        op.drop_table(table)
