"""Disks as they are: full, slow, read-only, gone. The call goes on, somebody is told, and what can be kept is kept."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from santral.engine.media import CaptureEvent
from santral.engine.media.capturing import captures as captures_module
from santral.engine.media.capturing import threads
from santral.engine.media.capturing.model import reason_of
from santral.recorder.capture import CaptureFile, CaptureHeader, is_being_written

ROOT = Path(__file__).resolve().parents[2]
HEADER = CaptureHeader.now("rec-1", "acme", "node-1")


@pytest.fixture
def folder() -> Iterator[Path]:
    """On a disk that is never slow by itself."""
    found = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp") / f"santral-faults-{os.getpid()}"
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir()
    yield found
    shutil.rmtree(found, ignore_errors=True)


def child(fault: str, folder: Path, *more: str, alone: bool = False) -> subprocess.Popen[str]:
    inside = ["unshare", "-rm"] if alone else []
    command = [*inside, sys.executable, str(ROOT / "tests/media/recording_child.py"), fault, str(folder), *more]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    )


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate(timeout=50)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


@pytest.mark.parametrize(("fault", "reason"), [
    ("full", "disk_full"), ("full sealed", "disk_full"), ("too_large", "too_large"), ("read_only", "read_only"),
    ("missing", "gone"),
])  # fmt: skip
def test_nothing_is_lost_by_a_disk_that_recovers(folder: Path, need, lacking, fault: str, reason: str) -> None:
    fault, *more = fault.split()
    alone = fault in {"full", "read_only"}  # a file system of its own
    if alone:
        need("unshare")
        if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
            lacking("no mount namespaces")
    found = outcome(child(fault, folder / "captures" if fault != "too_large" else folder, *more, alone=alone))
    assert found["events"] == [["failed", reason], ["recovered", reason]]
    assert found["readable"] > 0 if fault in {"full", "too_large"} else found["readable"] == -1
    assert found["heard"] == found["said"]  # the call
    assert found["packets"] == found["said"]
    assert found["gapless"]
    assert found["complete"]
    assert found["damage"] == 0
    assert found["tried_again"] is ("sealed" in more)  # with another nonce
    assert found["summary"]["dropped"] == "0"
    assert (found["summary"]["failure"], found["summary"]["is_complete"]) == ("", "True")


def test_kill_9_costs_less_than_a_second(folder: Path) -> None:
    process = child("endless", folder)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"started": True}
    time.sleep(1.3)
    path = folder / "r.capture"
    assert is_being_written(path)
    killed_ns = time.monotonic_ns()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not is_being_written(path)
    with CaptureFile(path) as file:
        batch = file.read()
        assert (file.is_complete, file.damage, file.unread_bytes) == (False, [], 0)
    for stream in (0, 1):
        said = [batch.payload(i) for i in range(len(batch.packets)) if batch.packets["stream"][i] == stream]
        assert said == [n.to_bytes(4) * 40 for n in range(len(said))]
        last_ns = int(batch.packets["arrival_ns"][batch.packets["stream"] == stream][-1])
        assert 0 < (killed_ns - last_ns) / 1e9 < 1.0


async def recording(stage, folder: Path):
    """A call of which a good deal is in the file already."""
    a, leg_a, b, _ = stage.bridged()
    events: list[CaptureEvent] = []
    capture = stage.plane.captures.open(folder / "r.capture", HEADER, on_event=events.append)
    capture.add(leg_a, "originating")
    a.send(leg_a, b"kept" * 40)
    await stage.until(lambda: capture.summary().packets == 1)
    assert len(await b.hears(1)) == 1
    return capture, events, a, leg_a, b


def is_there(path: Path) -> bool:
    return path.exists()


def told(events: list[CaptureEvent]) -> list[tuple[str, str]]:
    return [(event.kind, event.reason) for event in events]


async def test_a_deleted_file_is_told_and_the_call_goes_on(stage, folder: Path) -> None:
    capture, events, a, leg_a, b = await recording(stage, folder)
    shutil.rmtree(folder)
    await stage.until(lambda: told(events) == [("failed", "gone")], 3.0)
    a.send(leg_a, b"lost" * 40)
    assert len(await b.hears(1)) == 1
    summary = await capture.close("over")
    assert (summary.is_complete, summary.failure, summary.dropped) == (False, "gone", 1)
    assert not is_there(folder)


async def test_a_name_that_is_taken_is_told(stage, folder: Path) -> None:
    (folder / "r.capture").write_bytes(b"somebody else's")
    events: list[CaptureEvent] = []
    capture = stage.plane.captures.open(folder / "r.capture", HEADER, on_event=events.append)
    await stage.until(lambda: told(events) == [("failed", "exists")])
    summary = await capture.close("over")
    assert (summary.is_complete, summary.failure) == (False, "exists")
    with (folder / "r.capture").open("rb") as file:
        assert file.read() == b"somebody else's"


async def test_a_disk_that_takes_seconds_is_told(stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write itself: rings and memory hold what comes meanwhile."""
    monkeypatch.setattr(captures_module, "SLOW_NS", 400_000_000)
    monkeypatch.setattr(captures_module, "WATCH_S", 0.1)
    capture, events, a, leg_a, b = await recording(stage, folder)
    thread = stage.plane.captures.thread
    slow = [0.8]
    thread.before_writing = lambda: time.sleep(slow.pop() if slow else 0)
    for n in range(60):
        a.send(leg_a, n.to_bytes(4) * 40)
        await asyncio.sleep(0.01)
    assert told(events) == [("failed", "slow")]
    await stage.until(lambda: told(events) == [("failed", "slow"), ("recovered", "slow")])
    assert len(await b.hears(60)) == 60
    summary = await capture.close("over")
    assert (summary.packets, summary.dropped, summary.is_complete) == (61, 0, True)


async def test_a_flush_that_takes_seconds_holds_nothing_up(
    stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures_module, "SLOW_FLUSH_NS", 400_000_000)
    monkeypatch.setattr(captures_module, "WATCH_S", 0.1)
    slow = [0.9]
    flush = threads.flush

    def flush_slowly(fd: int) -> int:
        time.sleep(slow.pop() if slow else 0)
        return flush(fd)

    monkeypatch.setattr(threads, "flush", flush_slowly)
    capture, events, a, leg_a, _ = await recording(stage, folder)
    a.send(leg_a, b"more" * 40)
    await stage.until(lambda: capture.summary().packets == 2)  # written while the flush goes on
    assert stage.plane.captures.thread.flusher.since_ns
    await stage.until(lambda: told(events) == [("failed", "slow"), ("recovered", "slow")])
    assert (await capture.close("over")).is_complete


async def test_a_flush_that_fails_is_told(stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures_module, "WATCH_S", 0.05)
    monkeypatch.setattr(threads, "flush", lambda fd: 5)
    capture, events, _, _, _ = await recording(stage, folder)
    await stage.until(lambda: told(events) == [("failed", "io")])
    summary = await capture.close("over")
    assert (summary.is_complete, summary.failure) == (False, "io")


async def test_packets_without_room_are_counted_and_told(stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures_module, "SMALL_RING_BYTES", 4096)
    capture, events, a, leg_a, b = await recording(stage, folder)
    slow = [0.3]
    stage.plane.captures.thread.before_writing = lambda: time.sleep(slow.pop() if slow else 0)
    await asyncio.sleep(0.15)
    for n in range(100):
        a.send(leg_a, n.to_bytes(4) * 40)
    assert len(await b.hears(100)) == 100
    await stage.until(lambda: told(events) == [("failed", "overrun")])
    summary = await capture.close("over")
    assert summary.packets + summary.dropped == 101
    assert summary.dropped > 50
    with CaptureFile(folder / "r.capture") as file:
        batch = file.read()
    dropped = [note.fields for note in batch.notes if note.kind == "dropped"]
    assert [note["stream"] for note in dropped] == [0] * len(dropped)
    assert sum(note["packets"] for note in dropped) == summary.dropped
    assert len(batch.packets) == summary.packets


async def test_a_plane_that_stops_ends_its_captures(stager, folder: Path) -> None:
    stage = stager()
    capture, _, a, leg_a, b = await recording(stage, folder)
    a.send(leg_a, b"last" * 40)
    await b.hears(1)
    await stage.plane.stop()
    assert capture.summary().is_complete
    with CaptureFile(folder / "r.capture") as file:
        assert len(file.read().packets) == 2
        assert file.end_reason == "stopped"


@pytest.mark.parametrize(("number", "reason"), [(28, "disk_full"), (13, "denied"), (116, "gone"), (5, "io"), (0, "io")])
def test_reasons_are_words(number: int, reason: str) -> None:
    assert reason_of(number) == reason


async def test_a_mistake_of_ours_is_told_and_recording_goes_on(stage, folder: Path) -> None:
    capture, events, a, leg_a, _ = await recording(stage, folder)
    mistakes = [ZeroDivisionError("ours")]

    def stumble() -> None:
        if mistakes:
            raise mistakes.pop()

    stage.plane.captures.thread.before_writing = stumble
    await stage.until(lambda: told(events) == [("failed", "io")])
    assert "ours" in events[0].detail
    a.send(leg_a, b"more" * 40)
    await stage.until(lambda: told(events) == [("failed", "io"), ("recovered", "io")])
    summary = await capture.close("over")
    assert (summary.packets, summary.is_complete) == (2, True)
