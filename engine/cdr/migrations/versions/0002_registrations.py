"""Registrations: the contacts of users, for the time after a restart."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One row per contact of an address of record."""
    moment: Any = sa.String(24).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    document: Any = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "registrations",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("node", "aor", "key")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("contact", "transport", "host")),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("interface", sa.Text, nullable=False),
        sa.Column("expires", moment, nullable=False),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("cseq", sa.BigInteger, nullable=False),
        sa.Column("q", sa.Integer, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("path", document, nullable=False),
        sa.Column("is_block", sa.Boolean, nullable=False),
        sa.Column("user_agent", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("registrations")
