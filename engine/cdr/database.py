"""Opening the database: SQLite in WAL mode, or whatever the URL names."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

MAX_LIST: Final = 500  # rows in one page
BUSY_S: Final = 2.0  # SQLite: how long a locked file is waited for before the transaction is tried again later
POOL: Final = 3  # the writer, the reader, one spare


def connect(url: str) -> Engine:
    """Return an engine for `url`; a SQLite file's folder is made when missing. Connects only when first used."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_size=POOL, max_overflow=0, pool_pre_ping=True)
    if parsed.database in {None, "", ":memory:"}:
        raise ArgumentError("SQLite needs a file, as in sqlite:///data/santral.db")
    Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", prepare_sqlite)
    return engine


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """Let readers and the writer work side by side; a commit survives a power cut (one fsync a batch)."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA journal_size_limit=67108864")
    cursor.close()


def shown(url: str) -> str:
    """Return `url` without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(not a database URL)"
