"""What one transaction writes. A call that starts and ends within a batch never touches the table of open calls."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Insert, Table, bindparam, delete, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from santral.engine.cdr import bindings, queues, recordings
from santral.engine.cdr.bindings import BindingGone, BindingRow
from santral.engine.cdr.queues import AcdState, QueueInterval, Released
from santral.engine.cdr.queues import Item as AcdItem
from santral.engine.cdr.record import CallOpen, CallRecord, LegRecord
from santral.engine.cdr.recordings import Item as Recorded
from santral.engine.cdr.recordings import Order, OrderDone, Peak, RecordingChange, RecordingRow
from santral.engine.cdr.tables import calls, legs, open_calls

OPEN_FIELDS: Final = tuple(each.name for each in fields(CallOpen))
CALL_FIELDS: Final = tuple(each.name for each in fields(CallRecord) if each.name != "legs")
LEG_FIELDS: Final = tuple(each.name for each in fields(LegRecord))

MAX_INSERTIONS: Final = 16  # kept: three of each database

FORGET: Final = delete(open_calls).where(open_calls.c.id == bindparam("gone"))
NOTE_ANSWER: Final = update(open_calls).where(open_calls.c.id == bindparam("call")).values(answered=bindparam("moment"))


@dataclass(frozen=True, slots=True)
class Answered:
    """An open call was answered, at this UTC millisecond."""

    call: str
    moment: int


Item = CallOpen | Answered | CallRecord | BindingRow | BindingGone | Recorded | AcdItem


@dataclass(slots=True)
class Batch:
    """Rows by table, in the order in which they are written."""

    opened: dict[str, dict[str, Any]] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    legs: list[dict[str, Any]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    bindings: list[BindingRow | BindingGone] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    acd: list[AcdItem] = field(default_factory=list)

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Batch":
        """Gather `items`, which come in the order in which things happened."""
        batch = cls()
        for item in items:
            match item:
                case CallOpen():
                    batch.opened[item.id] = row(item, OPEN_FIELDS) | {"answered": None}
                case Answered(call, moment):
                    if call in batch.opened:
                        batch.opened[call]["answered"] = moment
                    else:
                        batch.answered[call] = moment
                case CallRecord():
                    batch._end(item)
                case BindingRow() | BindingGone():
                    batch.bindings.append(item)
                case AcdState() | Released() | QueueInterval():
                    batch.acd.append(item)
                case RecordingRow() | RecordingChange() | Peak() | Order() | OrderDone():
                    batch.recorded.append(item)
        return batch

    def _end(self, record: CallRecord) -> None:
        if self.opened.pop(record.id, None) is None:
            self.gone.append(record.id)
            self.answered.pop(record.id, None)
        self.calls.append(row(record, CALL_FIELDS))
        self.legs.extend(row(leg, LEG_FIELDS) | {"call": record.id} for leg in record.legs)

    def apply(self, connection: Connection) -> None:
        """Write everything; safe to repeat after a commit whose outcome is unknown."""
        if self.opened:
            insert_rows(connection, open_calls, (*OPEN_FIELDS, "answered"), self.opened.values())
        if self.answered:
            rows = [{"call": call, "moment": moment} for call, moment in self.answered.items()]
            connection.execute(NOTE_ANSWER, rows)
        if self.calls:
            insert_rows(connection, calls, CALL_FIELDS, self.calls)
        if self.legs:
            insert_rows(connection, legs, (*LEG_FIELDS, "call"), self.legs)
        if self.bindings:
            bindings.write(connection, self.bindings)
        if self.acd:
            queues.write(connection, self.acd)
        if self.recorded:
            recordings.write(connection, self.recorded)
        if self.gone:
            connection.execute(FORGET, [{"gone": call} for call in self.gone])


def row(record: CallOpen | CallRecord | LegRecord, names: tuple[str, ...]) -> dict[str, Any]:
    """Return a record as a row: read-only maps and tuples become what JSON knows."""
    made = {name: getattr(record, name) for name in names}
    for name in ("custom", "x_headers"):
        if name in made:
            made[name] = dict(made[name])
    for name in ("plan", "recordings"):
        if name in made:
            made[name] = list(made[name])
    return made


def insert_rows(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Insert rows that all have these columns, but those that are there. What makes the database's values of ours is
    looked up once, not for every row.
    """
    sql, columns, is_positional = insertion(table, names, connection.dialect)
    values = [[(name, row[name] if bind is None else bind(row[name])) for name, bind in columns] for row in rows]
    made = [tuple(value for _, value in one) if is_positional else dict(one) for one in values]
    connection.exec_driver_sql(sql, made)


@lru_cache(MAX_INSERTIONS)
def insertion(
    table: Table, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, tuple[tuple[str, Callable[[Any], Any] | None], ...], bool]:
    """The statement; its columns in its order, with what their values go through; whether it has them by position."""
    compiled = insert_once(table, dialect.name).compile(dialect=dialect, column_keys=list(names))
    order = compiled.positiontup if compiled.positional and compiled.positiontup else names
    binds = {name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names}
    return str(compiled), tuple((name, binds[name]) for name in order), bool(compiled.positional)


def insert_once(table: Table, dialect: str) -> Insert:
    """Return an insert that leaves a row with the same id alone, where the database can say so."""
    match dialect:
        case "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing(index_elements=["id"])
        case "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing(index_elements=["id"])
        case _:
            return insert(table)
