"""Brings a database up to the tables this code needs. Alembic is loaded only when there is something to do."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, inspect, text

from santral.engine.cdr.tables import SCHEMA_HEAD

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS: Final = Path(__file__).parent / "migrations"
UPGRADE_LOCK: Final = (
    0x53414E5452414C  # PostgreSQL advisory lock: two nodes starting at once upgrade one after the other
)


class SchemaError(Exception):
    """The database was made by another version of this code."""


def current(connection: Connection) -> str | None:
    """Return the migration the database is at, None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(engine: Engine) -> bool:
    """Run missing migrations in one transaction; tells whether there were any. SchemaError for an unknown version."""
    with engine.connect() as connection:
        if current(connection) == SCHEMA_HEAD:
            return False
    from alembic import command  # noqa: PLC0415 - 10 MiB that a start without migrations does not need
    from alembic.util.exc import CommandError  # noqa: PLC0415

    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        try:
            command.upgrade(config(connection), "head")
        except CommandError as problem:
            raise SchemaError(f"its tables are of another version of Santral: {problem}") from None
    return True


def config(connection: Connection | None = None) -> "Config":
    """Return the Alembic configuration for our migrations, with no file behind it."""
    from alembic.config import Config  # noqa: PLC0415

    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made
