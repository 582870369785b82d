"""The one thread that writes call records, and the reads beside it. The engine's loop never waits for the database.

What is handed over waits in memory until it is written: a locked, full or absent database delays records, it does not
lose them. Beyond `MAX_WAITING`, or when the engine must stop first, a record goes to the log whole, and is counted.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from sqlalchemy.engine import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from santral.engine import log, utc
from santral.engine.cdr import bindings, database, queries, queues, recordings
from santral.engine.cdr.batch import Answered, Batch, Item
from santral.engine.cdr.bindings import BindingGone, BindingRow
from santral.engine.cdr.database import MAX_LIST
from santral.engine.cdr.queries import CdrFilter
from santral.engine.cdr.record import CallOpen, CallRecord, as_map, lost_call
from santral.engine.cdr.schema import SchemaError, upgrade

__all__ = ["MAX_LIST", "CdrFilter", "CdrStore", "StoreError"]

MAX_WAITING: Final = 100_000  # records kept in memory while the database cannot be written
BATCH_S: Final = 0.2  # how long a record may wait for company: a commit costs as much CPU as twenty calls' rows
MAX_BATCH: Final = 1_000  # items in one transaction
ALIVE_S: Final = 5.0  # how often a node with calls in progress says that it lives
RETRY_FIRST_S: Final = 0.1
RETRY_MOST_S: Final = 5.0
CLOSE_S: Final = 10.0  # given to the database at the end

Result = TypeVar("Result")


class StoreError(Exception):
    """The database cannot be used; the text names it (without its password) and says why."""


class Flush:
    """Put into the queue to learn when everything before it is written."""

    def __init__(self) -> None:
        self.done: Future[None] = Future()


class CdrStore:
    """Call records in any database SQLAlchemy speaks to."""

    def __init__(self, url: str, *, node: str, max_waiting: int = MAX_WAITING, close_s: float = CLOSE_S) -> None:
        self._url = url
        self._node = node
        self._max_waiting = max_waiting
        self._close_s = close_s
        self._queue: SimpleQueue[Item | Flush] = SimpleQueue()
        self._in_hand = 0  # items the writer has taken and not yet written
        self._hurry = threading.Event()  # somebody waits for the batch: write now
        self._stop = threading.Event()
        self._give_up_at = float("inf")  # monotonic; set by close
        self._beaten = 0.0
        self._open: set[str] = set()
        self._counters = dict.fromkeys(("written", "failures", "lost", "refused"), 0)
        self._reader = ThreadPoolExecutor(1, "cdr-read")
        self._writer = threading.Thread(target=self._run, name="cdr-write", daemon=True)
        self._engine: Engine | None = None
        self._log = log.get("cdr")

    async def start(self) -> None:
        """Open the database, bring its tables up to date, start the writer; StoreError when that is impossible."""
        await self._read(self._prepare)
        self._writer.start()

    async def recover(self) -> tuple[CallRecord, ...]:
        """Close this node's calls that an earlier run left open; call it once, before the first call starts."""
        found, alive = await self._read(lambda: queries.unfinished(self._connected(), self._node))
        records = tuple(lost_call(call, answered, alive or 0) for call, answered in found)
        for record in records:
            self.call_ended(record)
        await self.flush()
        return records

    def call_started(self, call: CallOpen) -> None:
        """Remember that a call is in progress. Never blocks."""
        self._open.add(call.id)
        if self.waiting < self._max_waiting:
            self._queue.put(call)

    def call_answered(self, call: str, answered: int) -> None:
        """Remember when an open call was answered (UTC ms), so that a lost engine can still bill it. Never blocks."""
        if self.waiting < self._max_waiting:
            self._queue.put(Answered(call, answered))

    def call_ended(self, record: CallRecord) -> None:
        """Write a call and its legs, and forget that it was open, in one transaction. Never blocks."""
        self._open.discard(record.id)
        if self._stop.is_set():
            self._lose(record, "the store is closed")
        elif self.waiting < self._max_waiting:
            self._queue.put(record)
        else:
            self._lose(record, "too many records wait for the database")

    def bound(self, change: BindingRow | BindingGone) -> None:
        """Write a registration, or that it is gone. Never blocks; one that cannot be written is registered again."""
        if self.waiting < self._max_waiting and not self._stop.is_set():
            self._queue.put(change)

    def recorded(self, change: recordings.Item) -> None:
        """Write what has become of a recording. Never blocks; what cannot be written goes to the log."""
        if self.waiting < self._max_waiting and not self._stop.is_set():
            self._queue.put(change)
        else:
            self._log.error("a recording's row is not written", change=repr(change))

    def keep(self, item: queues.Item) -> None:
        """Write the state of an agent, or figures of queues. Never blocks; what cannot be written is kept in memory."""
        if self.waiting < self._max_waiting and not self._stop.is_set():
            self._queue.put(item)

    async def ask(self, work: Callable[[Engine], Result]) -> Result:
        """What this read of the database finds. StoreError when it does not answer."""
        return await self._read(lambda: work(self._connected()))

    async def bindings(self) -> list[BindingRow]:
        """This node's registrations that have not expired, as an earlier run left them."""
        return await self._read(lambda: bindings.read(self._connected(), self._node, utc.now_ms()))

    async def flush(self) -> None:
        """Wait until everything handed over so far is written (or has gone to the log)."""
        mark = Flush()
        self._queue.put(mark)
        self._hurry.set()
        await asyncio.wrap_future(mark.done)

    async def close(self) -> None:
        """Write what waits (a bounded time), then stop; what could not be written goes to the log, whole."""
        mark = Flush()
        self._queue.put(mark)  # before `_stop`: the writer leaves only when it has seen it
        self._give_up_at = time.monotonic() + self._close_s
        self._stop.set()
        self._hurry.set()
        if self._writer.is_alive():
            await asyncio.wrap_future(mark.done)
            await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._reader.shutdown)
        if self._engine is not None:
            self._engine.dispose()

    async def page(self, limit: int, after: str | None = None, wanted: CdrFilter | None = None) -> dict[str, Any]:
        """Return `{items, next}`: records newest first, older than `after` (a `next` of an earlier page).

        `limit` is cut to `MAX_LIST`. StoreError when the database does not answer.
        """
        return await self._read(lambda: queries.page(self._connected(), limit, after, wanted or CdrFilter()))

    @property
    def waiting(self) -> int:
        """How many items are not written yet."""
        return self._queue.qsize() + self._in_hand

    def counters(self) -> dict[str, int]:
        """Figures for metrics and status.

        `written` records, `waiting` items, `failures` of a transaction (tried again), `open` calls; `lost` records (the
        database was away too long) and `refused` ones (it would not take them): both are in the log, whole.
        """
        return {**self._counters, "waiting": self.waiting, "open": len(self._open)}

    async def _read(self, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, work)
        except (SQLAlchemyError, SchemaError, OSError, ImportError) as problem:
            raise StoreError(f"database {database.shown(self._url)}: {short(problem)}") from problem

    def _prepare(self) -> None:
        engine = database.connect(self._url)
        upgrade(engine)
        self._engine = engine

    def _connected(self) -> Engine:
        if self._engine is None:
            raise StoreError("the store is not started")
        return self._engine

    # From here on: the writer thread.

    def _run(self) -> None:
        while not (self._stop.is_set() and self._queue.empty()):
            try:
                first = self._queue.get(timeout=ALIVE_S)
            except Empty:
                self._beat()
                continue
            self._in_hand = 1
            self._hurry.wait(BATCH_S)
            self._hurry.clear()
            self._write_all([first, *self._take(MAX_BATCH - 1)])
            self._beat()

    def _take(self, most: int) -> list[Item | Flush]:
        taken: list[Item | Flush] = []
        while len(taken) < most:
            try:
                taken.append(self._queue.get_nowait())
            except Empty:
                break
        return taken

    def _write_all(self, taken: list[Item | Flush]) -> None:
        self._in_hand = len(taken)
        items = [item for item in taken if not isinstance(item, Flush)]
        if items:
            self._write(items)
        self._in_hand = 0
        for item in taken:
            if isinstance(item, Flush):
                item.done.set_result(None)

    def _write(self, items: list[Item]) -> None:
        delay = RETRY_FIRST_S
        while time.monotonic() < self._give_up_at:
            try:
                batch = Batch.of(items)
                with self._connected().begin() as connection:
                    batch.apply(connection)
            except Exception as problem:
                if is_poisoned(problem):
                    self._write_apart(items, problem)
                    return
                self._counters["failures"] += 1
                self._log.error(
                    "call records wait: the database refused", error=short(problem), waiting=self.waiting, retry_s=delay
                )
                self._pause(delay)
                delay = min(delay * 2, RETRY_MOST_S)
            else:
                self._counters["written"] += len(batch.calls)
                return
        self._spill(items, "the engine stopped before the database came back")

    def _pause(self, delay: float) -> None:
        """Wait before trying again; shorter, but not without a wait, once the store is closing."""
        if self._stop.is_set():
            time.sleep(RETRY_FIRST_S)
        else:
            self._stop.wait(delay)

    def _write_apart(self, items: list[Item], problem: Exception) -> None:
        """Something among `items` can never be written: find it, so that the others are."""
        if len(items) > 1:
            for item in items:
                self._write([item])
            return
        self._counters["refused"] += 1
        self._log.error("call record refused by the database", error=short(problem), record=whole(items[0]))

    def _spill(self, items: Iterable[Item], why: str) -> None:
        for item in items:
            if isinstance(item, CallRecord):
                self._lose(item, why)

    def _lose(self, record: CallRecord, why: str) -> None:
        self._counters["lost"] += 1
        self._log.error("call record not stored", why=why, record=whole(record))

    def _beat(self) -> None:
        """Say that this node lives, while it has calls: it dates the end of those a crash would leave open."""
        now = time.monotonic()
        if not self._open or now - self._beaten < ALIVE_S:
            return
        self._beaten = now
        try:
            with self._connected().begin() as connection:
                queries.set_alive(connection, self._node, utc.now_ms())
        except SQLAlchemyError:
            self._counters["failures"] += 1


def whole(item: Item) -> Any:
    """Return everything that is known, for the log; also of a record that should never have been made."""
    try:
        return as_map(item) if isinstance(item, CallRecord) else repr(item)
    except (TypeError, ValueError, AttributeError):
        return repr(item)


def is_poisoned(problem: Exception) -> bool:
    """Tell whether trying the same rows again can never succeed: what is wrong is a value, not the database."""
    if isinstance(problem, DBAPIError):
        return isinstance(problem, IntegrityError | DataError)
    return isinstance(problem, StatementError) or not isinstance(problem, SQLAlchemyError | OSError)


def short(problem: BaseException) -> str:
    """Return the database's own words without the statement and its values."""
    cause = problem.orig if isinstance(problem, StatementError) and problem.orig is not None else problem
    return " ".join(str(cause).split())[:300]
