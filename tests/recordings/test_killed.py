"""kill -9 of the recorder and of the engine in mid-call: what was said is in the file, less at most the last second."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from santral.bench.judge import hearing
from santral.bench.peer import wav
from santral.bench.process import Child
from santral.bench.scene import recorded
from santral.bench.scene.stage import CALLEE_SAYS, CALLER_SAYS, COLLEAGUE, Stage, set_up
from santral.bench.subject import serve_words
from santral.engine import utc
from santral.engine.control.client import SyncClient

TALK_S = 3.0
SPEECH_BEGINS = 800  # amplitude


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with set_up(tmp_path) as made:
        yield made


def control(stage: Stage) -> Any:
    return closing(SyncClient(str(stage.folder / "data/control.sock")))


def until(holds: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def listed(stage: Stage) -> list[dict[str, Any]]:
    """Recordings, oldest first."""
    with control(stage) as client:
        return list(reversed(client.call("recording.list")["items"]))


def settled(stage: Stage, count: int) -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]]:
        items = listed(stage)
        done = len(items) == count and all(one["state"] not in {"recording", "processing"} for one in items)
        return items if done else []

    return list(until(found))


def recorders(engine: int) -> list[int]:
    children = Path(f"/proc/{engine}/task/{engine}/children").read_text().split()
    return [int(one) for one in children if b"recorder" in Path(f"/proc/{one}/cmdline").read_bytes()]


def assert_speech(stage: Stage, row: dict[str, Any], least_s: float) -> None:
    """Each ear has its speaker from the first word to the end of the file."""
    audio = next(one for one in row["files"] if one["kind"] == "audio")
    path = stage.folder / "data/recordings" / audio["name"]
    for ear, said in zip(recorded.ears(path), (CALLER_SAYS, CALLEE_SAYS), strict=True):
        assert len(ear) / wav.RATE_HZ >= least_s
        first = int(np.argmax(np.abs(ear) > SPEECH_BEGINS))
        match = hearing.find(ear[first:], wav.read(said)[0])
        assert match.likeness > 0.99, (match, first)


def test_of_the_recorder_and_of_the_engine(stage: Stage) -> None:
    callee_words = ("answer", stage.ports.callee, "--play", str(CALLEE_SAYS), "--longest", "20")
    words = ("--to", stage.uri(COLLEAGUE), "--play", str(CALLER_SAYS), "--longest", "20")
    with stage.phone("callee", *callee_words), stage.phone("caller", "call", stage.ports.caller, *words):
        until(lambda: listed(stage))
        with control(stage) as client:  # a first recording, over whose file the recorder dies twice
            client.call("recording.stop", id=listed(stage)[0]["id"])
            (first,) = until(lambda: recorders(stage.engine.pid))
            os.kill(first, signal.SIGKILL)
            (second,) = until(lambda: [one for one in recorders(stage.engine.pid) if one != first])
            (call,) = client.call("call.list")["items"]
            client.call("recording.start", call=call["id"])
            os.kill(second, signal.SIGKILL)
        time.sleep(TALK_S)
        killed_ms = 1000 * time.time()
        for one in (*recorders(stage.engine.pid), stage.engine.pid):
            os.kill(one, signal.SIGKILL)
    with Child(serve_words(stage.folder / "santral.toml"), stage.folder / "again.log"):
        early, cut = settled(stage, 2)
        assert early["state"] == "ready"
        with control(stage) as client:
            event = next(one for one in ready(client) if one.get("recording") == cut["id"])
            (record,) = client.call("cdr.list", cause="engine_lost")["items"]
        assert (cut["state"], cut["is_recovered"], event["recovered"]) == ("ready", True, True)
        assert cut["call"] == record["id"]
        assert cut["ms"] >= killed_ms - utc.parse(cut["started"]) - 1000
        assert_speech(stage, cut, TALK_S - 1.0)


def ready(client: SyncClient) -> Iterator[dict[str, Any]]:
    """What was told of recordings that are ready since the start."""
    return client.events(0, ["recording.ready"])
