"""The store: what is written, in what order, and what happens when the database is away."""

import asyncio
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from santral.engine import ids
from santral.engine.cdr import store as module
from santral.engine.cdr.batch import Batch
from santral.engine.cdr.record import CallOpen, CallRecord, as_map
from santral.engine.cdr.store import CdrFilter, CdrStore

NewCall = Callable[..., CallOpen]
NewRecord = Callable[..., CallRecord]


def rows(url: str, query: str) -> list[Any]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def is_made(url: str) -> bool:
    return Path(url.removeprefix("sqlite:///")).exists()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)


async def test_a_record_comes_back_as_it_was_written(store: CdrStore, new_record: NewRecord) -> None:
    record = new_record(
        trunk_in="carrier",
        trunk_out="pbx",
        plan=("first", "second"),
        answered=1_795_255_201_000,
        linked="l",
        parent="p",
        custom={"crm": {"id": 7}},
        x_headers={"X-Case": "ş"},
        recordings=("r1",),
    )
    store.call_ended(record)
    await store.flush()
    page = await store.page(10)
    assert page == {"items": [as_map(record)], "next": None}


async def test_an_open_call_leaves_a_row_until_it_ends(
    store: CdrStore, url: str, new_call: NewCall, new_record: NewRecord
) -> None:
    call = new_call()
    store.call_started(call)
    await store.flush()
    assert rows(url, "SELECT id, started, answered FROM open_calls") == [(call.id, "2026-11-21T10:00:00.123Z", None)]
    store.call_answered(call.id, call.started + 1000)
    await store.flush()
    assert rows(url, "SELECT answered FROM open_calls") == [("2026-11-21T10:00:01.123Z",)]
    assert store.counters()["open"] == 1
    store.call_ended(new_record(call.id))
    await store.flush()
    assert rows(url, "SELECT id FROM open_calls") == []
    assert rows(url, "SELECT count(*) FROM calls") + rows(url, "SELECT count(*) FROM legs") == [(1,), (2,)]
    assert store.counters()["open"] == 0


def test_a_call_within_one_batch_never_touches_the_open_table(new_call: NewCall, new_record: NewRecord) -> None:
    call, other = new_call(), new_record()
    batch = Batch.of([call, module.Answered(call.id, 5), new_record(call.id), module.Answered(other.id, 5), other])
    assert (batch.opened, batch.answered, batch.gone) == ({}, {}, [other.id])
    assert [row["id"] for row in batch.calls] == [call.id, other.id]


async def test_records_are_batched(store: CdrStore, new_record: NewRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    apply = Batch.apply
    monkeypatch.setattr(
        Batch, "apply", lambda batch, connection: (sizes.append(len(batch.calls)), apply(batch, connection))
    )
    for _ in range(50):
        store.call_ended(new_record())
    await store.flush()
    assert sum(sizes) == 50
    assert len(sizes) <= 2


async def test_a_record_is_written_soon_without_a_flush(store: CdrStore, url: str, new_record: NewRecord) -> None:
    record = new_record()
    store.call_ended(record)
    await until(lambda: rows(url, "SELECT count(*) FROM calls") != [(0,)])
    assert rows(url, "SELECT id FROM calls") == [(record.id,)]


async def test_pages_go_from_new_to_old_and_filters_hold(store: CdrStore, new_record: NewRecord) -> None:
    made = [
        new_record(
            tenant="acme" if n % 2 else "other",
            called=str(n % 3),
            trunk_in="in",
            trunk_out=f"out{n % 2}",
            cause="busy" if n == 7 else "normal",
            started=1_795_255_200_000 + n,
        )
        for n in range(10)
    ]
    for record in made:
        store.call_ended(record)
    await store.flush()
    seen, after = [], None
    while True:
        page = await store.page(3, after)
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [record.id for record in reversed(made)]

    async def count(**wanted: Any) -> int:
        return len((await store.page(100, None, CdrFilter(**wanted)))["items"])

    assert await count(tenant="acme") == 5
    assert await count(tenant="acme", called="0") == 2
    assert await count(trunk="in") == 10
    assert await count(trunk="out1") == 5
    assert await count(cause="busy") == 1
    assert await count(id=made[3].id) == 1
    assert await count(since=1_795_255_200_004, until=1_795_255_200_006) == 2


async def test_the_same_call_is_written_once(store: CdrStore, url: str, new_record: NewRecord) -> None:
    record = new_record()
    for _ in range(3):
        store.call_ended(record)
        await store.flush()
    assert rows(url, "SELECT count(*) FROM calls") == [(1,)]
    assert rows(url, "SELECT count(*) FROM legs") == [(2,)]


async def test_a_locked_database_delays_records_and_loses_none(
    url: str, new_call: NewCall, new_record: NewRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("santral.engine.cdr.database.BUSY_S", 0.05)
    store = CdrStore(url, node="n1")
    await store.start()
    locker = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        store.call_started(new_call())
        store.call_ended(new_record())
    await until(lambda: store.counters()["failures"] >= 2)
    assert store.counters()["waiting"] == 40
    assert (await store.page(10))["items"] == []  # readers are not held up, nor is the loop
    locker.execute("ROLLBACK")
    locker.close()
    await store.flush()
    assert rows(url, "SELECT count(*) FROM calls") == [(20,)]
    assert rows(url, "SELECT count(*) FROM open_calls") == [(20,)]
    assert (store.counters()["lost"], store.counters()["waiting"]) == (0, 0)
    await store.close()


@pytest.mark.parametrize(
    "message", ["database or disk is full", "attempt to write a readonly database", "disk I/O error"]
)
async def test_a_full_or_read_only_disk_delays_records(
    store: CdrStore, url: str, new_record: NewRecord, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    apply, failing = Batch.apply, [True]

    def apply_or_fail(batch: Batch, connection: Any) -> None:
        apply(batch, connection)
        if failing:
            raise OperationalError("INSERT", {}, sqlite3.OperationalError(message))

    monkeypatch.setattr(Batch, "apply", apply_or_fail)
    monkeypatch.setattr(module, "RETRY_FIRST_S", 0.01)
    store.call_ended(new_record())
    await until(lambda: store.counters()["failures"] >= 3)
    assert rows(url, "SELECT count(*) FROM calls") == [(0,)]
    failing.clear()
    await store.flush()
    assert rows(url, "SELECT count(*) FROM calls") == [(1,)]


@pytest.mark.parametrize(
    "fields",
    [{"custom": {"never": object()}}, {"called": "\udcff"}, {"duration_ms": 2**70}, {"cause": None}, {"ended": "soon"}],
)
async def test_one_impossible_record_does_not_hold_up_the_others(
    store: CdrStore, url: str, new_record: NewRecord, capsys: pytest.CaptureFixture[str], fields: dict[str, Any]
) -> None:
    good, bad = [new_record(), new_record()], new_record(**fields, caller="the bad one")
    for record in (good[0], bad, good[1]):
        store.call_ended(record)
    await store.flush()
    assert sorted(rows(url, "SELECT id FROM calls")) == sorted((record.id,) for record in good)
    assert store.counters()["refused"] == 1
    shown = capsys.readouterr()
    assert "the bad one" in shown.out + shown.err


async def test_memory_is_bounded_and_what_does_not_fit_goes_to_the_log_whole(
    url: str, new_record: NewRecord, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Batch, "apply", failing_apply)
    store = CdrStore(url, node="n1", max_waiting=5, close_s=0.2)
    await store.start()
    records = [new_record(caller=f"caller-{n}") for n in range(8)]
    for record in records:
        store.call_ended(record)
    assert store.counters()["lost"] == 3
    await store.close()  # the database never comes back
    assert store.counters()["lost"] == 8
    shown = capsys.readouterr()
    for record in records:
        assert record.id in shown.out + shown.err


def failing_apply(_batch: Batch, _connection: Any) -> None:
    raise OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))


async def test_a_record_after_the_end_goes_to_the_log(url: str, new_record: NewRecord) -> None:
    store = CdrStore(url, node="n1")
    await store.start()
    store.call_ended(new_record())
    await store.close()
    assert rows(url, "SELECT count(*) FROM calls") == [(1,)]
    store.call_ended(new_record())
    assert store.counters()["lost"] == 1


async def test_closing_twice_or_before_the_start_is_no_error(url: str, new_record: NewRecord) -> None:
    store = CdrStore(url, node="n1")
    await store.close()
    assert not is_made(url)
    store = CdrStore(url, node="n1")
    await store.start()
    record = new_record()
    store.call_ended(record)
    await store.close()
    await store.close()
    assert rows(url, "SELECT id FROM calls") == [(record.id,)]


KILLED = """
import asyncio, os, signal, sys
from santral.engine import utc
from santral.engine.cdr.record import CallOpen
from santral.engine.cdr.store import CdrStore

async def main():
    store = CdrStore(sys.argv[1], node="n1")
    await store.start()
    for n in range(3):
        call = CallOpen(f"call-{n}", "n1", "acme", "carrier", "100", "200", utc.now_ms(), f"leg-{n}", "a@b", "link")
        store.call_started(call)
    store.call_answered("call-1", utc.now_ms())
    await store.flush()
    await asyncio.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_calls_of_a_killed_engine_are_closed_at_the_next_start(url: str, new_call: NewCall) -> None:
    source = str(Path(__file__).parents[2] / "src")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, url, env={**os.environ, "PYTHONPATH": source}
    )
    assert await process.wait() == -signal.SIGKILL
    store = CdrStore(url, node="n1")
    await store.start()
    theirs = new_call(node="n2")
    store.call_started(theirs)
    await store.flush()
    closed = await store.recover()
    assert sorted(record.id for record in closed) == ["call-0", "call-1", "call-2"]
    assert {record.cause for record in closed} == {"engine_lost"}
    items = {item["id"]: item for item in (await store.page(10))["items"]}
    assert (items["call-1"]["billed_s"], items["call-0"]["billed_s"]) == (60, 0)
    assert items["call-2"]["linked"] == "link"
    assert items["call-2"]["legs"][0]["id"] == "leg-2"
    assert rows(url, "SELECT id FROM open_calls") == [(theirs.id,)]
    assert await store.recover() == ()
    await store.close()


async def test_a_node_with_calls_says_that_it_lives(
    store: CdrStore, url: str, new_call: NewCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.flush()
    assert rows(url, "SELECT * FROM nodes") == []
    store.call_started(new_call(ids.new_id()))
    await until(lambda: len(rows(url, "SELECT name FROM nodes")) == 1)
    before = rows(url, "SELECT alive FROM nodes")
    monkeypatch.setattr(module, "ALIVE_S", 0.05)
    store.call_started(new_call(ids.new_id()))
    await until(lambda: rows(url, "SELECT alive FROM nodes") > before)
