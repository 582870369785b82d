"""Recordings in the database: an index of what there is, where it lies and what it is billed by.

Rows are written in the batches of the call records, by their thread; what happens to a recording later changes its row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from santral.engine import utc
from santral.engine.cdr.database import MAX_LIST
from santral.engine.cdr.tables import recording_orders as orders
from santral.engine.cdr.tables import recordings, usage

MOMENTS: Final = ("started", "ended", "stored", "erased")
UNFINISHED: Final = ("recording", "processing")
EDGE: Final = "\n"  # before and behind each party, so that one is found whole
EXACT: Final = ("tenant", "id", "call", "conference", "state", "queue", "demanded_by")
DAY_MS: Final = 86_400_000
CHUNK: Final = 1_000  # rows read at a time


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One recording. Moments are UTC milliseconds; `ms` is what the recording lasted, `bytes` what its files take.

    States: recording, processing (the recorder has it), ready, failed (its capture is kept, `reason` says why), erased.
    """

    id: str
    node: str
    tenant: str
    started: int
    call: str | None = None
    conference: str = ""
    state: str = "recording"
    reason: str = ""
    demanded_by: str = ""
    channels: str = ""
    format: str = ""
    caller: str = ""
    called: str = ""
    queue: str = ""  # that its call waited in
    parties: tuple[str, ...] = ()
    ended: int | None = None
    ms: int = 0
    files: tuple[Mapping[str, Any], ...] = ()
    bytes: int = 0
    stored: int | None = None  # since when it takes room
    store: str = ""
    is_pending: bool = False  # in the local store until its own takes it
    is_recovered: bool = False
    is_encrypted: bool = False
    masked_ms: int = 0
    is_held: bool = False
    erased: int | None = None


@dataclass(frozen=True, slots=True)
class RecordingChange:
    """What is different of a recording now."""

    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done about a recording (`hold`, `release`, `erase`), until it is. `at`: UTC milliseconds."""

    recording: str
    kind: str
    node: str
    tenant: str
    asked_by: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class OrderDone:
    """It was carried out, or refused."""

    recording: str
    kind: str


@dataclass(frozen=True, slots=True)
class Peak:
    """The most there was of something on one day (`2026-11-22`); a smaller one than is written changes nothing."""

    tenant: str
    day: str
    kind: str
    value: int


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """Which recordings to list; every given field must hold. `since <= start < until`, in UTC milliseconds."""

    tenant: str | None = None
    id: str | None = None
    call: str | None = None
    conference: str | None = None
    state: str | None = None
    queue: str | None = None
    demanded_by: str | None = None
    party: str | None = None  # a number or name of anybody in it
    since: int | None = None
    until: int | None = None


Item = RecordingRow | RecordingChange | Peak | Order | OrderDone
OPPOSITES: Final = {"hold": "release", "release": "hold"}  # the later order is the one that holds


def packed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a row as the table takes them."""
    made = dict(values)
    if "parties" in made:
        made["parties"] = "".join(f"{EDGE}{one}" for one in made["parties"]) + EDGE if made["parties"] else ""
    if "files" in made:
        made["files"] = [dict(one) for one in made["files"]]
    return made


def write(connection: Connection, items: Iterable[Item]) -> None:
    """In the order in which things happened; a row that is there already stays."""
    for item in items:
        match item:
            case RecordingRow():
                connection.execute(_insert_once(connection, recordings, ["id"]), packed(asdict(item)))
            case RecordingChange():
                connection.execute(update(recordings).where(recordings.c.id == item.id).values(packed(item.values)))
            case Peak():
                _raise_to(connection, item)
            case Order():
                _forget(connection, item.recording, item.kind, OPPOSITES.get(item.kind, item.kind))
                connection.execute(insert(orders), asdict(item))
            case OrderDone():
                _forget(connection, item.recording, item.kind)


def _forget(connection: Connection, recording: str, *kinds: str) -> None:
    connection.execute(delete(orders).where(orders.c.recording == recording, orders.c.kind.in_(kinds)))


def _insert_once(connection: Connection, table: Any, key: list[str]) -> Any:
    match connection.dialect.name:
        case "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing(index_elements=key)
        case "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing(index_elements=key)
        case _:
            return insert(table)


def _raise_to(connection: Connection, peak: Peak) -> None:
    connection.execute(_insert_once(connection, usage, ["tenant", "day", "kind"]), asdict(peak))
    is_it = and_(usage.c.tenant == peak.tenant, usage.c.day == peak.day, usage.c.kind == peak.kind)
    connection.execute(update(usage).where(is_it, usage.c.value < peak.value).values(value=peak.value))


def page(engine: Engine, limit: int, after: str | None, wanted: RecordingFilter) -> dict[str, Any]:
    """One page of recordings, newest first, older than `after`."""
    limit = max(1, min(limit, MAX_LIST))
    query = select(recordings).where(*_conditions(wanted)).order_by(recordings.c.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(recordings.c.id < after)
    with engine.connect() as connection:
        found = [shown(row) for row in connection.execute(query)]
    items = found[:limit]
    return {"items": items, "next": items[-1]["id"] if len(found) > limit else None}


def find(engine: Engine, identifier: str) -> dict[str, Any] | None:
    """The recording of this id."""
    items = page(engine, 1, None, RecordingFilter(id=identifier))["items"]
    return items[0] if items else None


def standing(engine: Engine, node: str) -> list[Order]:
    """Orders that were given to a node and are not known to be carried out, oldest first."""
    query = select(orders).where(orders.c.node == node).order_by(orders.c.at)
    with engine.connect() as connection:
        return [Order(**row._mapping) for row in connection.execute(query)]


def unfinished(engine: Engine, node: str) -> list[tuple[str, str]]:
    """Id and tenant of the recordings that a node has begun and that are not ready."""
    query = select(recordings.c.id, recordings.c.tenant).where(
        recordings.c.node == node, recordings.c.state.in_(UNFINISHED)
    )
    with engine.connect() as connection:
        return [(row.id, row.tenant) for row in connection.execute(query)]


def _conditions(wanted: RecordingFilter) -> Iterable[ColumnElement[bool]]:
    for name in EXACT:
        value = getattr(wanted, name)
        if value is not None:
            yield recordings.c[name] == value
    if wanted.party is not None:
        whole = f"{EDGE}{wanted.party}{EDGE}"
        yield or_(
            recordings.c.caller == wanted.party,
            recordings.c.called == wanted.party,
            recordings.c.parties.contains(whole, autoescape=True),
        )
    if wanted.since is not None:
        yield recordings.c.started >= wanted.since
    if wanted.until is not None:
        yield recordings.c.started < wanted.until


def shown(row: Row[Any]) -> dict[str, Any]:
    """A row as control clients see it: moments as UTC text, parties as a list."""
    made = dict(row._mapping)
    made["parties"] = [one for one in made["parties"].split(EDGE) if one]
    for name in MOMENTS:
        if made[name] is not None:
            made[name] = utc.text_of(made[name])
    return made


@dataclass(slots=True)
class Used:
    """What a tenant has used in a span of time."""

    recordings: int = 0
    ms: int = 0
    byte_ms: int = 0
    peaks: dict[str, int] = field(default_factory=dict)

    def as_map(self) -> dict[str, Any]:
        return {
            "recordings": self.recordings,
            "recorded_minutes": round(self.ms / 60_000, 3),
            "stored_gb_days": round(self.byte_ms / DAY_MS / 1e9, 6),
            **self.peaks,
        }


def used(engine: Engine, tenant: str | None, since: int, until: int) -> dict[str, dict[str, Any]]:
    """By tenant: recordings that ended in this span (UTC milliseconds) and how long they were, how much room files took
    for how long, and the most licences in use on any day of it.
    """
    found: dict[str, Used] = {}
    columns = recordings.c
    query = select(columns.tenant, columns.ended, columns.ms, columns.bytes, columns.stored, columns.erased).where(
        columns.started < until, or_(columns.erased.is_(None), columns.erased >= since)
    )
    days = select(usage).where(
        usage.c.day >= utc.text_of(since)[:10], usage.c.day < utc.text_of(until + DAY_MS - 1)[:10]
    )
    if tenant is not None:
        query, days = query.where(columns.tenant == tenant), days.where(usage.c.tenant == tenant)
    with engine.connect() as connection:
        for row in connection.execution_options(yield_per=CHUNK).execute(query):
            one = found.setdefault(row.tenant, Used())
            if row.ended is not None and since <= row.ended < until:
                one.recordings += 1
                one.ms += row.ms
            if row.stored is not None:
                gone = until if row.erased is None else min(row.erased, until)
                one.byte_ms += row.bytes * max(0, gone - max(row.stored, since))
        for row in connection.execute(days):
            peaks = found.setdefault(row.tenant, Used()).peaks
            peaks[row.kind] = max(row.value, peaks.get(row.kind, 0))
    return {name: one.as_map() for name, one in sorted(found.items())}
