"""Registrations in the database: what the registrar knew, so that phones on UDP are reached after a restart.

Written in the batches of the call records, by their thread; read once, at the start.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select

from santral.engine.cdr.tables import registrations

KEY: Final = ("node", "aor", "key")
GONE: Final = delete(registrations).where(*(registrations.c[name] == bindparam(f"its_{name}") for name in KEY))


@dataclass(frozen=True, slots=True)
class BindingRow:
    """One contact of an address of record. `expires` is UTC milliseconds."""

    node: str
    aor: str
    key: str
    contact: str
    transport: str
    host: str
    port: int
    interface: str
    expires: int
    call_id: str
    cseq: int
    q: int
    instance: str
    path: tuple[str, ...]
    is_block: bool
    user_agent: str


@dataclass(frozen=True, slots=True)
class BindingGone:
    """A contact that is no longer there."""

    node: str
    aor: str
    key: str


def write(connection: Connection, items: Iterable[BindingRow | BindingGone]) -> None:
    """Bring the table to what these say; they come in order, the last word on a contact counts."""
    last = {(item.node, item.aor, item.key): item for item in items}
    gone = [dict(zip((f"its_{name}" for name in KEY), key, strict=True)) for key in last]
    rows = [asdict(item) | {"path": list(item.path)} for item in last.values() if isinstance(item, BindingRow)]
    if gone:
        connection.execute(GONE, gone)
    if rows:
        connection.execute(insert(registrations), rows)


def read(engine: Engine, node: str, now: int) -> list[BindingRow]:
    """The contacts of this node that have not expired at `now` (UTC milliseconds); the others are deleted."""
    with engine.begin() as connection:
        ours = registrations.c.node == node
        connection.execute(delete(registrations).where(ours, registrations.c.expires <= now))
        found = connection.execute(select(registrations).where(ours)).mappings().all()
    return [BindingRow(**{**row, "path": tuple(row["path"])}) for row in found]
