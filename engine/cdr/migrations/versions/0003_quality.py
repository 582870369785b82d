"""Quality of legs: rating, loss, bursts, and what the peer reports."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MEASURED = ("r", "loss", "remote_jitter_ms", "remote_r", "remote_mos")


def upgrade() -> None:
    """Nothing was measured before."""
    with op.batch_alter_table("legs") as legs:
        for name in MEASURED:
            legs.add_column(sa.Column(name, sa.Float))
        legs.add_column(sa.Column("bursts", sa.BigInteger, nullable=False, server_default="0"))
        legs.add_column(sa.Column("remote_lost", sa.BigInteger))


def downgrade() -> None:
    """Forget it."""
    with op.batch_alter_table("legs") as legs:
        for name in (*MEASURED, "bursts", "remote_lost"):
            legs.drop_column(name)
