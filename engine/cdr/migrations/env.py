"""Runs migrations on the connection that `santral.engine.cdr.schema` hands over. There is no offline mode."""

from alembic import context

from santral.engine.cdr.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
