"""What the recorder reports, orders to it, what an earlier run left: with a real index and a recorder of ours."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from santral.engine.cdr import recordings as rows
from santral.engine.cdr.recordings import RecordingRow
from santral.engine.cdr.store import CdrStore
from santral.engine.control.protocol import RequestError
from santral.engine.events import EventLog
from santral.engine.ids import new_id
from santral.engine.recordings import archive as archives
from santral.engine.recordings.archive import Archive
from santral.engine.recordings.book import Book
from santral.engine.recordings.captures import Captures

FILES = [
    {"name": "x.wav", "kind": "audio", "format": "wav", "bytes": 100, "sha256": "ab", "seconds": 1.5, "channels": 2},
    {"name": "x.json", "kind": "peaks", "format": "json", "bytes": 10, "sha256": "cd", "seconds": 1.5},
]


class Process:
    """Keeps what it is told, and answers orders at once with `answer`."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.needed = 0
        self.answer: dict[str, Any] | None = None
        self.archive: Archive | None = None

    def need(self) -> None:
        self.needed += 1

    def tell(self, frame: dict[str, Any], *, stands: bool = False) -> None:
        self.told.append(dict(frame))
        if self.answer is not None and self.archive is not None and frame["kind"] != "noted":
            self.archive.hear({**self.answer, "recording": frame["recording"], "report": "answer"})


class Scene:
    def __init__(self, folder: Path, store: CdrStore) -> None:
        self.store, self.folder = store, folder
        self.events = EventLog("n1")
        self.process = Process()
        captures = Captures(None, folder, "n1")  # type: ignore[arg-type]
        book = Book(store, self.events, "n1")
        self.archive = Archive(asyncio.get_running_loop(), captures, book, folder)
        self.process.archive = self.archive

    async def start(self) -> None:
        await self.archive.start(self.process)  # type: ignore[arg-type]

    def row(self, **fields: Any) -> str:
        identifier = new_id()
        self.store.recorded(RecordingRow(**{"id": identifier, "node": "n1", "tenant": "acme", "started": 0, **fields}))
        return identifier

    async def report(self, kind: str, recording: str, **fields: Any) -> None:
        self.archive.hear({"kind": kind, "recording": recording, "tenant": "acme", "report": f"{kind}-1", **fields})
        await self.archive._reports.join()

    async def found(self, identifier: str) -> dict[str, Any]:
        await self.store.flush()
        row = await self.store.ask(lambda engine: rows.find(engine, identifier))
        assert row is not None
        return row

    def told(self) -> list[dict[str, Any]]:
        subscription = self.events.subscribe(since=0)
        found = [msgpack.unpackb(packed) for packed in subscription._collect()] if self.events.last else []
        subscription.close()
        return found


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = CdrStore(f"sqlite:///{tmp_path}/cdr.db", node="n1")
    await store.start()
    made = Scene(tmp_path, store)
    yield made
    await made.archive.close()
    await store.close()


async def test_a_recording_becomes_ready_once_however_often_it_is_told(scene: Scene) -> None:
    await scene.start()
    one = scene.row(call="c", state="processing")
    await scene.store.flush()
    for _ in range(2):
        await scene.report("ready", one, files=FILES, seconds=1.5, store="local", recovered=True, started_at=1000)
    row = await scene.found(one)
    assert (row["state"], row["bytes"], row["ms"], row["is_recovered"]) == ("ready", 110, 1500, True)
    assert row["files"] == FILES
    assert row["ended"] == "1970-01-01T00:00:02.500Z"
    assert [frame["report"] for frame in scene.process.told] == ["ready-1", "ready-1"]
    (event,) = scene.told()
    assert (event["type"], event["recording"], event["recorded_call"], event["call"]) == (
        "recording.ready",
        one,
        "c",
        None,
    )
    assert (event["recovered"], event["files"][0]["sha256"]) == (True, "ab")


async def test_failing_and_then_ready_moved_held_released_erased(scene: Scene) -> None:
    await scene.start()
    one = scene.row(state="processing")
    await scene.store.flush()
    await scene.report("failed", one, reason="unreachable", text="no way", final=False)
    assert ((await scene.found(one))["state"], (await scene.found(one))["reason"]) == ("processing", "unreachable")
    await scene.report("failed", one, reason="damaged", final=True)
    assert (await scene.found(one))["state"] == "failed"
    await scene.report("ready", one, files=FILES, seconds=1.5, store="local", pending=True)
    row = await scene.found(one)
    assert (row["state"], row["reason"], row["is_pending"]) == ("ready", "", True)
    await scene.report("moved", one, store="far")
    row = await scene.found(one)
    assert (row["store"], row["is_pending"]) == ("far", False)
    await scene.report("held", one, by="ayse", entry=3)
    assert (await scene.found(one))["is_held"] is True
    await scene.report("released", one, by="ayse", entry=4)
    await scene.report("erased", one, by="retention", reason="retention", entry=5, hash="ff")
    row = await scene.found(one)
    assert (row["state"], row["is_held"]) == ("erased", False)
    assert row["erased"] is not None
    assert [event["type"].removeprefix("recording.") for event in scene.told()] == [
        "failed", "failed", "ready", "moved", "held", "released", "erased",
    ]  # fmt: skip


async def test_a_recording_nobody_knows_is_taken_up(scene: Scene) -> None:
    await scene.start()
    one = new_id()
    await scene.report("ready", one, files=FILES, seconds=1.5, store="local", started_at=5000)
    row = await scene.found(one)
    assert (row["state"], row["tenant"], row["started"]) == ("ready", "acme", "1970-01-01T00:00:05.000Z")


async def test_an_unreadable_report_is_passed_over(scene: Scene) -> None:
    await scene.start()
    one = scene.row()
    await scene.store.flush()
    await scene.report("ready", one)
    await scene.report("something", one)
    await scene.report("failed", one, reason="full")
    assert (await scene.found(one))["reason"] == "full"
    assert [frame["report"] for frame in scene.process.told] == ["something-1", "failed-1"]


async def test_what_an_earlier_run_left_is_handed_over_and_what_is_lost_is_told(scene: Scene) -> None:
    left, claimed, reported, lost = (scene.row(call=str(n)) for n in range(4))
    theirs = scene.row(node="n2")
    await scene.store.flush()
    for folder, name in (
        ("captures", f"{left}.capture"),
        ("jobs", claimed),
        ("outbox", f"{reported}.ready.msgpack"),
        ("captures", f"{new_id()}.capture"),
    ):
        (scene.folder / folder).mkdir(exist_ok=True)
        (scene.folder / folder / name).touch()
    await scene.start()
    states = {one: (await scene.found(one))["state"] for one in (left, claimed, reported, lost, theirs)}
    assert list(states.values()) == ["processing", "processing", "processing", "failed", "recording"]
    assert scene.process.needed == 1
    (event,) = scene.told()
    assert (event["type"], event["recording"], event["reason"]) == ("recording.failed", lost, "lost")


async def test_nothing_is_started_where_nothing_is_left(scene: Scene) -> None:
    await scene.start()
    assert scene.process.needed == 0
    assert (scene.folder / "captures").stat().st_mode & 0o777 == 0o700


async def test_orders_are_answered_by_the_report(scene: Scene) -> None:
    await scene.start()
    one = scene.row(state="ready")
    row = await scene.found(one)
    scene.process.answer = {"kind": "erased", "entry": 7, "by": "ayse", "reason": "request"}
    report = await scene.archive.order("erase", row, "ayse", "request")
    assert report["entry"] == 7
    order = scene.process.told[0]
    assert order.pop("at") > 0
    assert order == {"kind": "erase", "recording": one, "tenant": "acme", "by": "ayse", "reason": "request"}
    assert scene.archive.standing() == []
    with pytest.raises(RequestError, match="not finished, or is gone"):
        await scene.archive.order("erase", await scene.found(one), "ayse", "request")


async def test_the_keys_of_a_tenant_are_wrapped_anew(scene: Scene) -> None:
    await scene.start()
    waiting = asyncio.create_task(scene.archive.rewrap("acme"))
    await asyncio.sleep(0)
    assert scene.process.told == [{"kind": "rewrap", "tenant": "acme"}]
    scene.archive.hear({"kind": "rewrapped", "tenant": "acme", "count": 3, "failed": 0, "entry": 9, "report": "r"})
    assert (await waiting)["count"] == 3
    waiting = asyncio.create_task(scene.archive.rewrap("acme"))
    await asyncio.sleep(0)
    scene.archive.hear({"kind": "rejected", "of": "rewrap", "tenant": "acme", "why": "no key"})
    with pytest.raises(RequestError, match="no key"):
        await waiting


async def test_a_late_report_of_another_order_answers_nobody(scene: Scene) -> None:
    await scene.start()
    row = await scene.found(scene.row(state="ready"))
    waiting = asyncio.create_task(scene.archive.order("erase", row, "ayse", "request"))
    async with asyncio.timeout(10):
        while not scene.process.told:  # noqa: ASYNC110 - it is written first
            await asyncio.sleep(0.01)
    await scene.report("held", row["id"], by="ayse", entry=1)
    assert not waiting.done()
    await scene.report("erased", row["id"], by="ayse", reason="request", entry=2, hash="ff")
    assert (await waiting)["entry"] == 2


async def test_a_refused_order_and_one_nobody_answers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.start()
    row = await scene.found(scene.row(state="ready"))
    scene.process.answer = {"kind": "refused", "order": "erase", "why": "held"}
    with pytest.raises(RequestError, match="held"):
        await scene.archive.order("erase", row, "ayse", "request")
    scene.process.answer = None
    monkeypatch.setattr(archives, "ORDER_S", 0.05)
    waiting = asyncio.create_task(scene.archive.order("hold", row, "ayse", ""))
    await asyncio.sleep(0)
    with pytest.raises(RequestError, match="another order"):
        await scene.archive.order("erase", row, "ayse", "request")
    with pytest.raises(RequestError, match="has not answered"):
        await waiting
    assert [one["kind"] for one in scene.archive.standing()] == ["hold"]


async def test_an_order_stands_until_it_is_carried_out_whoever_dies(scene: Scene, monkeypatch: Any) -> None:
    """Nobody has carried it out when the engine dies; the next one gives it again, to each recorder that begins."""
    await scene.start()
    held, freed = [await scene.found(scene.row(state="ready")) for _ in range(2)]
    monkeypatch.setattr(archives, "ORDER_S", 0.05)
    for kind, row in (("hold", held), ("hold", freed), ("release", freed)):
        with pytest.raises(RequestError, match="has not answered"):
            await scene.archive.order(kind, row, "ayse", "court")
    given = [one for one in scene.process.told if one["kind"] != "noted"]
    assert [("again" in one, one["reason"]) for one in given] == [(False, "court")] * 3
    later = Scene(scene.folder, scene.store)
    await later.start()
    assert later.process.needed == 1
    standing = later.archive.standing()
    assert standing == [{**given[0], "again": True}, {**given[2], "again": True}]  # the later word holds
    assert later.archive.standing() == standing  # for the next recorder process
    await later.report("held", held["id"], by="ayse", entry=1)
    await later.report("refused", freed["id"], order="release", why="unknown")
    assert later.archive.standing() == []
    await later.archive.close()
    last = Scene(scene.folder, scene.store)
    await last.start()
    assert (last.archive.standing(), last.process.needed) == ([], 0)
    await last.archive.close()


async def test_captures_that_never_began_are_swept_and_those_of_the_living_stay(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scene.folder / "captures"
    folder.mkdir()
    dead, new, living, begun = (
        folder / name for name in ("a.capture.making", "b.capture.making", "c.capture.making", "d.capture")
    )
    for one in (dead, new, living, begun):
        one.write_bytes(b"x")
    for one in (dead, living, begun):
        os.utime(one, (0, 0))
    with living.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        await scene.start()
        async with asyncio.timeout(20):
            while new.exists():  # noqa: ASYNC110 - a sweep is told to nobody
                await asyncio.sleep(0.05)
        assert [dead.exists(), living.exists(), begun.exists()] == [False, True, True]
    said = capsys.readouterr().out
    assert [name in said for name in ("a.capture.making", "b.capture.making", "c.capture.making")] == [
        True,
        True,
        False,
    ]
