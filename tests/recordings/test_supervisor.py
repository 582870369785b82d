"""The recorder process as the engine keeps it: a stand-in that writes down what it is told, and dies when it is to."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from santral.engine.recordings import supervisor
from santral.engine.recordings.supervisor import RecorderProcess

STAND_IN = """
import msgpack, socket, sys
told, fd = sys.argv[1], int(sys.argv[2])
line = socket.socket(fileno=fd)
line.sendall(msgpack.packb({"kind": "alive", "jobs": 1}) + msgpack.packb({"kind": "ready", "recording": "r"}))
frames = msgpack.Unpacker()
while data := line.recv(4096):
    frames.feed(data)
    for frame in frames:
        with open(told, "ab") as out:
            out.write(msgpack.packb(frame))
        if frame["kind"] == "stop":
            sys.exit(0)
        if frame["kind"] == "die":
            sys.exit(3)
"""
Make = Callable[..., RecorderProcess]


@pytest.fixture
def told(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    def read() -> list[dict[str, Any]]:
        frames = msgpack.Unpacker()
        file = tmp_path / "told"
        frames.feed(file.read_bytes() if file.exists() else b"")
        return list(frames)

    return read


@pytest.fixture
async def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(supervisor, "STOP_S", 2.0)
    made: list[RecorderProcess] = []

    def begin(hear: Callable[[Any], None] = lambda _frame: None, script: str = STAND_IN) -> RecorderProcess:
        command = (sys.executable, "-c", script, str(tmp_path / "told"))
        made.append(RecorderProcess(asyncio.get_running_loop(), lambda: {"kind": "settings"}, hear, tuple, command))
        return made[-1]

    yield begin
    for one in made:
        await one.close()


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - another process, which tells nobody
            await asyncio.sleep(0.01)


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["kind"] for frame in frames]


async def test_what_stands_is_told_to_each_that_begins(make: Make, told: Any) -> None:
    process = make()
    process._standing = lambda: [{"kind": "hold", "recording": "a"}]
    process.tell({"kind": "hold", "recording": "a"}, stands=True)
    await until(lambda: len(told()) == 2)
    process.tell({"kind": "erase", "recording": "b"}, stands=True)
    process.tell({"kind": "die"})
    await until(lambda: len(told()) == 6)
    assert kinds(told()) == ["settings", "hold", "erase", "die", "settings", "hold"]


async def test_it_is_started_when_it_is_needed_and_told_its_settings_first(make: Make, told: Any) -> None:
    heard: list[Any] = []
    process = make(heard.append)
    assert process.pid is None
    process.tell({"kind": "process", "recording": "a"})
    process.tell({"kind": "erase", "recording": "b"})
    await until(lambda: len(told()) == 3)
    process.reconfigure()
    process.tell({"kind": "hold", "recording": "c"})
    await until(lambda: len(told()) == 5)
    assert kinds(told()) == ["settings", "process", "erase", "settings", "hold"]
    assert kinds(heard) == ["ready"]
    assert process.alive["jobs"] == 1
    await process.close()
    assert kinds(told())[-1] == "stop"
    assert process.pid is None
    process.tell({"kind": "process"})
    assert process.counters == {"starts": 1, "deaths": 0, "hung": 0}


@pytest.mark.parametrize("how", ["exit", "kill -9"])
async def test_it_is_started_again_when_it_dies(make: Make, told: Any, how: str) -> None:
    process = make()
    process.need()
    await until(lambda: kinds(told()) == ["settings"])
    first = process.pid
    assert first is not None
    if how == "exit":
        process.tell({"kind": "die"})
    else:
        os.kill(first, signal.SIGKILL)
    await until(lambda: kinds(told()).count("settings") == 2)
    assert process.pid not in {None, first}
    assert process.counters["deaths"] == 1


async def test_one_that_says_nothing_is_killed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "HUNG_S", 0.2)
    monkeypatch.setattr(supervisor, "STOP_S", 0.1)
    process = make(script="import time; time.sleep(60)")
    process.need()
    await until(lambda: process.counters["starts"] == 2)
    assert process.counters["hung"] == 1


async def test_one_that_cannot_be_started_is_tried_again_ever_later(make: Make) -> None:
    process = make()
    process._command = ("/nowhere/at/all",)
    process.need()
    await until(lambda: process.counters["deaths"] == 3)
    assert process.pid is None


async def test_a_report_that_fails_does_not_end_it(make: Make, told: Any) -> None:
    def fail(_frame: Any) -> None:
        raise ValueError("no")

    process = make(fail)
    process.tell({"kind": "process"})
    await until(lambda: len(told()) == 2)
    assert process.counters["deaths"] == 0


def test_the_tests_use_the_real_defaults() -> None:
    """The stand-in is not what the engine starts."""
    assert supervisor.COMMAND[1:] == ("-m", "santral.engine.cli", "recorder", "--fd")
