"""Reads of the call records, and the few statements beside the batches. Runs on the store's threads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, insert, or_, select, update

from santral.engine import utc
from santral.engine.cdr.batch import OPEN_FIELDS
from santral.engine.cdr.database import MAX_LIST
from santral.engine.cdr.record import MOMENTS, CallOpen
from santral.engine.cdr.tables import calls, legs, nodes, open_calls

EXACT: Final = ("tenant", "id", "caller", "called", "cause", "linked")


@dataclass(frozen=True, slots=True)
class CdrFilter:
    """Which records to list; every given field must hold. `since <= start < until`, in UTC milliseconds."""

    tenant: str | None = None
    id: str | None = None
    caller: str | None = None
    called: str | None = None
    trunk: str | None = None  # in or out
    cause: str | None = None
    linked: str | None = None
    since: int | None = None
    until: int | None = None


def page(engine: Engine, limit: int, after: str | None, wanted: CdrFilter) -> dict[str, Any]:
    """Return one page of records with their legs, newest first."""
    limit = max(1, min(limit, MAX_LIST))
    query = select(calls).where(*conditions(wanted)).order_by(calls.c.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(calls.c.id < after)
    with engine.connect() as connection:
        found = [shown(row) for row in connection.execute(query)]
        more, items = len(found) > limit, found[:limit]
        by_call = {item["id"]: item for item in items}
        of_these = select(legs).where(legs.c.call.in_(list(by_call))).order_by(legs.c.id)
        for row in connection.execute(of_these):
            leg = shown(row)
            by_call[leg.pop("call")].setdefault("legs", []).append(leg)
    for item in items:
        item.setdefault("legs", [])
    return {"items": items, "next": items[-1]["id"] if more else None}


def conditions(wanted: CdrFilter) -> Iterable[ColumnElement[bool]]:
    """Return what must hold of a call."""
    for name in EXACT:
        value = getattr(wanted, name)
        if value is not None:
            yield calls.c[name] == value
    if wanted.trunk is not None:
        yield or_(calls.c.trunk_in == wanted.trunk, calls.c.trunk_out == wanted.trunk)
    if wanted.since is not None:
        yield calls.c.started >= wanted.since
    if wanted.until is not None:
        yield calls.c.started < wanted.until


def shown(row: Row[Any]) -> dict[str, Any]:
    """Return a row with its moments as UTC text."""
    made = dict(row._mapping)
    for name in MOMENTS & made.keys():
        if made[name] is not None:
            made[name] = utc.text_of(made[name])
    return made


def unfinished(engine: Engine, node: str) -> tuple[list[tuple[CallOpen, int | None]], int | None]:
    """Return the calls `node` left open with their answer times, and when it was last alive (UTC ms)."""
    with engine.connect() as connection:
        alive = connection.execute(select(nodes.c.alive).where(nodes.c.name == node)).scalar()
        rows = connection.execute(select(open_calls).where(open_calls.c.node == node).order_by(open_calls.c.id)).all()
    return [(CallOpen(**{name: row._mapping[name] for name in OPEN_FIELDS}), row.answered) for row in rows], alive


def set_alive(connection: Connection, node: str, moment: int) -> None:
    """Write down that `node` lives."""
    known = connection.execute(update(nodes).where(nodes.c.name == node).values(alive=moment))
    if known.rowcount == 0:
        connection.execute(insert(nodes).values(name=node, alive=moment))
