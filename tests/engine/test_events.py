"""The event log: numbers, the ring, replay, gaps, and readers that are too slow."""

import ast
import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgpack
import pytest

from santral.engine import events
from santral.engine.events import BATCH_EVENTS, EventLog, SinceAheadError, Subscription, SubscriptionError
from santral.engine.sequence import BLOCK, Numbers, SequenceError, SequenceFile, read_number
from santral.routing.acd import events as acd


async def read(subscription: Subscription, most: int = 10_000) -> list[dict[str, Any]]:
    """Return what can be read without waiting."""
    found: list[dict[str, Any]] = []
    while len(found) < most:
        try:
            async with asyncio.timeout(0.05):
                batch = await subscription.batch()
        except TimeoutError:
            break
        if not batch:
            break
        found += [msgpack.unpackb(packed) for packed in batch]
    return found


async def test_an_event_has_the_contract_s_fields() -> None:
    log = EventLog("n1", clock_ms=lambda: 1_795_255_200_123)
    stream = log.subscribe()
    assert log.emit("dtmf.received", tenant="acme", call="c1", leg="l1", digit="5", ms=80, via="rfc4733") == 1
    assert await read(stream) == [
        {
            "seq": 1,
            "at": "2026-11-21T10:00:00.123Z",
            "node": "n1",
            "type": "dtmf.received",
            "tenant": "acme",
            "call": "c1",
            "leg": "l1",
            "digit": "5",
            "ms": 80,
            "via": "rfc4733",
        }
    ]


async def test_values_messagepack_does_not_know_are_shown_as_text() -> None:
    log = EventLog("n1")
    stream = log.subscribe()
    log.emit("play.started", file=Path("a.wav"))
    log.emit("play.started", file="a\udcff")  # a byte that was no UTF-8
    assert [each["file"] for each in await read(stream)] == ["a.wav", "a?"]


def test_a_type_without_a_row_is_our_bug() -> None:
    with pytest.raises(KeyError, match="no row"):
        EventLog("n1").emit("call.flew")


async def test_replay_starts_after_since_and_then_follows() -> None:
    log = EventLog("n1")
    for _ in range(5):
        log.emit("call.started")
    stream, now = log.subscribe(since=3), log.subscribe()
    assert [each["seq"] for each in await read(stream)] == [4, 5]
    log.emit("call.ended")
    assert [each["seq"] for each in await read(stream)] == [6]
    assert [each["seq"] for each in await read(now)] == [6]


async def test_types_and_tenants_are_filtered() -> None:
    log = EventLog("n1")
    log.emit("engine.ready")
    log.emit("call.started", tenant="acme")
    log.emit("leg.started", tenant="acme")
    log.emit("call.started", tenant="other")
    assert [each["seq"] for each in await read(log.subscribe(since=0, types=("call.*", "engine.ready")))] == [1, 2, 4]
    assert [each["seq"] for each in await read(log.subscribe(since=0, tenant="acme"))] == [2, 3]


async def test_what_is_no_longer_kept_is_announced_by_one_gap() -> None:
    log = EventLog("n1", keep=10)
    for _ in range(25):
        log.emit("call.started")
    assert (log.oldest, log.last) == (16, 25)
    found = await read(log.subscribe(since=4, types=("call.*",)))
    assert (found[0]["type"], found[0]["from"], found[0]["to"], found[0]["seq"]) == ("events.gap", 5, 15, 15)
    assert [each["seq"] for each in found[1:]] == list(range(16, 26))
    assert [each["type"] for each in await read(log.subscribe(since=15))] == ["call.started"] * 10


async def test_the_ring_is_bounded_in_bytes_too() -> None:
    log = EventLog("n1", keep_bytes=10_000)
    for _ in range(50):
        log.emit("call.started", caller="x" * 1000)
    assert log.last - log.oldest < 10
    assert log._bytes <= 10_000
    assert sum(entry is not None for entry in log._ring) == log.last - log.oldest + 1


def test_since_in_the_future_is_refused() -> None:
    log = EventLog("n1")
    log.emit("call.started")
    log.subscribe(since=1)
    with pytest.raises(SinceAheadError, match="ahead"):
        log.subscribe(since=2)


async def test_a_reader_that_was_overtaken_is_told() -> None:
    log = EventLog("n1", keep=10)
    stream = log.subscribe()
    for _ in range(11):
        log.emit("call.started")
    with pytest.raises(SubscriptionError, match="overwritten"):
        await stream.batch()


async def test_batches_are_bounded_and_in_order() -> None:
    log = EventLog("n1")
    for _ in range(1000):
        log.emit("call.started")
    stream, sizes, last = log.subscribe(since=0), [], 0
    while last < 1000:
        batch = [msgpack.unpackb(packed)["seq"] for packed in await stream.batch()]
        assert all(a + 1 == b for a, b in pairwise([last, *batch]))
        sizes.append(len(batch))
        last = batch[-1]
    assert max(sizes) == BATCH_EVENTS


async def test_iterating_gives_maps_until_the_log_is_closed() -> None:
    log = EventLog("n1")
    log.emit("call.started")
    seen = []

    async def follow() -> None:
        async for event in log.subscribe(since=0):
            seen.append(event["seq"])  # noqa: PERF401 - what was seen must survive a cancelled iteration

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.01)
    log.emit("call.ended")
    log.close()
    await task
    assert seen == [1, 2]


async def test_closing_a_subscription_ends_a_waiting_read() -> None:
    log = EventLog("n1")
    stream = log.subscribe()
    waiting = asyncio.create_task(stream.batch())
    await asyncio.sleep(0)
    stream.close()
    assert await waiting == []
    assert log.subscribers == 0


def emitted() -> list[tuple[str, set[str | None]]]:
    """Return every `emit("type", field=…)` in the engine's source: the type and the names of its fields."""
    found = []
    for file in (Path(events.__file__).parent).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="emit" | "_emit") | ast.Name(id="emit"),
                    args=[ast.Constant(value=str(kind)), *_],
                    keywords=fields,
                ):
                    found.append((kind, {each.arg for each in fields} - {"tenant", "call", "leg"}))
    distributed = acd.EVENTS.items()  # `acd/journal.py` emits whatever the distributor says
    return found + [(name, {*shape._fields} - {"at", "tenant"}) for shape, name in distributed]


def test_the_table_says_what_the_engine_emits() -> None:
    for kind, fields in emitted():
        assert kind in events.EVENTS
        if None not in fields:  # no **fields among them
            assert fields == set(events.EVENTS[kind].fields), kind
    assert {kind for kind, _ in emitted()} == set(events.EVENTS) - {"events.gap"}


# numbers that survive


def test_numbers_go_on_after_a_clean_end(tmp_path: Path) -> None:
    path = tmp_path / "events.seq"
    first = SequenceFile(path)
    assert [first.take() for _ in range(3)] == [1, 2, 3]
    first.close()
    second = SequenceFile(path)
    assert second.take() == 4
    second.close()


async def test_numbers_are_skipped_after_a_crash_and_the_gap_says_so(tmp_path: Path) -> None:
    path = tmp_path / "events.seq"
    crashed = EventLog("n1", SequenceFile(path))
    for _ in range(7):
        crashed.emit("call.started")
    log = EventLog("n1", SequenceFile(path))
    assert log.last == BLOCK
    gap = (await read(log.subscribe(since=5)))[0]
    assert (gap["type"], gap["from"], gap["to"]) == ("events.gap", 6, BLOCK)
    assert log.emit("engine.ready") == BLOCK + 1
    log.close()


def test_numbers_never_repeat_whenever_the_crash_comes(tmp_path: Path) -> None:
    path, used = tmp_path / "events.seq", 0
    for taken in (1, BLOCK // 2 - 1, BLOCK // 2 + 1, BLOCK + 1, 3 * BLOCK):
        numbers = SequenceFile(path)
        assert numbers.first > used
        for _ in range(taken):
            used = numbers.take()
        numbers._writer.shutdown(wait=True)  # a crash, but with a disk that has kept up
        assert used <= read_number(path) <= used + BLOCK


def test_a_broken_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "events.seq"
    path.write_text("twelve")
    with pytest.raises(SequenceError, match=r"events\.seq: not an event number; remove the file"):
        SequenceFile(path)
    with pytest.raises(SequenceError, match="missing"):
        SequenceFile(tmp_path / "missing" / "events.seq")


def test_a_disk_that_fails_later_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = SequenceFile(tmp_path / "events.seq")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("santral.engine.sequence.write_number", fail)
    last = [numbers.take() for _ in range(2 * BLOCK)][-1]
    numbers.close()
    assert last == 2 * BLOCK
    assert numbers.failures == 4  # three reservations and the last position


def test_numbers_can_be_kept_nowhere() -> None:
    numbers = Numbers(5)
    assert (numbers.take(), numbers.take()) == (5, 6)
    numbers.close()
