"""Recordings know the queue that their call waited in."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column more; messages of a queue are found by it."""
    op.add_column("recordings", sa.Column("queue", sa.Text, nullable=False, server_default=""))
    op.create_index("recordings_by_queue", "recordings", ["queue", "id"])


def downgrade() -> None:
    """Forget it."""
    op.drop_index("recordings_by_queue", "recordings")
    op.drop_column("recordings", "queue")
