"""What queues leave in the database: the state of agents and callbacks, for the time after a restart, and statistics.

Written in the batches of the call records, by their thread.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select

from santral.engine import log
from santral.engine.cdr import owners
from santral.engine.cdr.tables import acd_states, queue_intervals

STATE_KEY: Final = ("node", "kind", "name")
INTERVAL_KEY: Final = (*STATE_KEY, "started")


@dataclass(frozen=True, slots=True)
class AcdState:
    """What is known of one agent, work or callback; no `state`: nothing any more. `saved` is UTC milliseconds.

    Not written when a later `token` than this was given: whoever says so decides no more.
    """

    node: str
    kind: str
    name: str
    saved: int
    state: Mapping[str, Any] | None
    token: int


@dataclass(frozen=True, slots=True)
class Released:
    """Who held this token decides no more, by its own will."""

    node: str
    token: int


@dataclass(frozen=True, slots=True)
class QueueInterval:
    """The figures of a queue or agent for one interval, replaced when written again; `started` is UTC milliseconds."""

    node: str
    kind: str
    name: str
    started: int
    tenant: str
    seconds: int
    figures: Mapping[str, Any]


Item = AcdState | Released | QueueInterval


def write(connection: Connection, items: Iterable[Item]) -> None:
    """Bring the tables to what these say; the last word on one thing counts."""
    states: dict[tuple[str, int], dict[tuple[str, str], AcdState]] = {}
    released: list[Released] = []
    intervals: dict[tuple[str, str, str, int], QueueInterval] = {}
    for item in items:
        match item:
            case AcdState():
                states.setdefault((item.node, item.token), {})[item.kind, item.name] = item
            case Released():
                released.append(item)
            case QueueInterval():
                intervals[item.node, item.kind, item.name, item.started] = item
    for (node, token), those in states.items():
        if owners.is_current(connection, node, token):
            _write_states(connection, those.values())
        else:
            log.get("queues").warning("not written: somebody else owns the queues", node=node, things=len(those))
    for one in released:
        owners.release(connection, one.node, one.token)
    if intervals:
        connection.execute(
            _gone(queue_intervals, INTERVAL_KEY), [_key(one, INTERVAL_KEY) for one in intervals.values()]
        )
        connection.execute(insert(queue_intervals), [asdict(one) for one in intervals.values()])


def _write_states(connection: Connection, states: Collection[AcdState]) -> None:
    connection.execute(_gone(acd_states, STATE_KEY), [_key(one, STATE_KEY) for one in states])
    rows = [{**_named(one), "state": one.state, "saved": one.saved} for one in states if one.state is not None]
    if rows:
        connection.execute(insert(acd_states), rows)


def _named(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in STATE_KEY}


def _gone(table: Any, key: tuple[str, ...]) -> Any:
    return delete(table).where(*(table.c[name] == bindparam(f"its_{name}") for name in key))


def _key(item: Item, key: tuple[str, ...]) -> dict[str, Any]:
    return {f"its_{name}": getattr(item, name) for name in key}


def states(engine: Engine, node: str) -> list[AcdState]:
    """What this node knew."""
    with engine.connect() as connection:
        found = connection.execute(select(acd_states).where(acd_states.c.node == node)).mappings().all()
    return [AcdState(**row, token=0) for row in found]


def intervals(engine: Engine, kind: str, name: str, since: int, until: int) -> list[QueueInterval]:
    """The intervals that began in this time (UTC milliseconds), oldest first, of all nodes."""
    rows, at = queue_intervals.c, queue_intervals.c.started
    wanted = select(queue_intervals).where(rows.kind == kind, rows.name == name, at >= since, at < until).order_by(at)
    with engine.connect() as connection:
        return [QueueInterval(**row) for row in connection.execute(wanted).mappings().all()]


def recent(engine: Engine, node: str, since: int) -> list[QueueInterval]:
    """This node's intervals that began at or after this moment (UTC milliseconds)."""
    columns = queue_intervals.c
    wanted = select(queue_intervals).where(columns.node == node, columns.started >= since)
    with engine.connect() as connection:
        return [QueueInterval(**row) for row in connection.execute(wanted).mappings().all()]
