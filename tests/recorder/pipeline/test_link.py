"""The process as the engine runs it: exec'd, a socket, frames; it may be killed, and told everything twice."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgpack
import pytest

PATIENCE_S = 20.0


class Engine:
    """The engine's end of the socket."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(PATIENCE_S)
        command = [sys.executable, "-m", "santral.engine.cli", "recorder", "--fd", str(theirs.fileno())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        log = (desk.folder / "log").open("ab")
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, stderr=log)
        log.close()
        theirs.close()
        self.unpacker = msgpack.Unpacker()
        self.seen: list[dict[str, Any]] = []

    def tell(self, kind: str, **said: Any) -> None:
        self.socket.sendall(msgpack.packb({"kind": kind, **said}))

    def settings(self, **changes: Any) -> None:
        self.tell("settings", **replace(self.desk.settings, **changes).to_map())

    def frame(self) -> dict[str, Any]:
        while True:
            for frame in self.unpacker:
                self.seen.append(frame)
                return dict(frame)
            data = self.socket.recv(65536)
            assert data, "the recorder has gone"
            self.unpacker.feed(data)

    def wait_for(self, kind: str) -> dict[str, Any]:
        while (frame := self.frame())["kind"] != kind:
            pass
        return frame

    def close(self) -> None:
        self.socket.close()
        self.process.wait(PATIENCE_S)


@pytest.fixture
def start(desk: Any) -> Iterator[Callable[[], Engine]]:
    engines: list[Engine] = []

    def begin() -> Engine:
        engines.append(Engine(desk))
        return engines[-1]

    yield begin
    for engine in engines:
        engine.close()


def test_a_life_of_the_process(desk: Any, start: Callable[[], Engine]) -> None:
    """From the first settings on: work that waited, an order to work, reports noted, orders, other settings, end."""
    waiting = desk.capture()
    engine = start()
    engine.tell("process", recording=waiting)  # too early: it is found anyway
    engine.settings()
    ready = engine.wait_for("ready")
    assert ready["recording"] == waiting
    assert os.getpriority(os.PRIO_PROCESS, engine.process.pid) == min(os.nice(0) + 10, 19)
    engine.tell("noted", report=ready["report"])

    recording = desk.capture("sealed")
    engine.tell("process", recording=recording)
    assert engine.wait_for("ready")["recording"] == recording  # not noted

    engine.tell("hold", recording=recording, tenant="sealed", by="ayse", reason="court")
    held = engine.wait_for("held")
    engine.tell("erase", recording=recording, tenant="sealed", by="retention", reason="")
    refused = engine.wait_for("refused")
    assert (refused["order"], refused["why"]) == ("erase", "held")
    for report in (held, refused):
        engine.tell("noted", report=report["report"])

    engine.tell("process", recording="../../etc/passwd")
    rejected = engine.wait_for("rejected")
    assert rejected["of"] == "process"
    engine.tell("settings", stores={})
    assert engine.wait_for("rejected")["of"] == "settings"

    tenants = {**desk.settings.tenants, "sealed": replace(desk.settings.tenants["sealed"], keys=("66" * 32, "11" * 32))}
    engine.settings(tenants=tenants)
    rewrapped = engine.wait_for("rewrapped")  # by itself
    assert (rewrapped["count"], rewrapped["failed"]) == (1, 0)
    engine.tell("rewrap", tenant="sealed")
    assert engine.wait_for("rewrapped")["count"] == 0
    engine.settings(tenants={"sealed": replace(desk.settings.tenants["sealed"], keys=("no key",))})
    assert engine.wait_for("rejected")["of"] == "settings"
    alive = engine.wait_for("alive")
    assert (alive["jobs"], alive["waiting"], alive["pending"]) == (0, 0, 0)
    engine.tell("stop")
    assert engine.process.wait(PATIENCE_S) == 0

    again = start()
    again.settings()
    reported = {again.wait_for("ready")["report"]}
    while again.frame()["kind"] != "alive":
        reported.add(str(again.seen[-1]["report"]))
    assert reported == {f"{recording}.ready", "tenant-sealed.rewrapped"}
    again.socket.close()
    assert again.process.wait(PATIENCE_S) == 0


def test_killed_in_mid_work_and_started_again(desk: Any, start: Callable[[], Engine]) -> None:
    recording = desk.capture()
    engine = start()
    engine.settings(faults="encoded:delay=30")
    engine.wait_for("alive")
    state = desk.layout.job(recording) / "job.msgpack"
    while not state.exists() or b"mixed" not in state.read_bytes():
        time.sleep(0.01)
    engine.process.kill()
    assert engine.process.wait(PATIENCE_S) == -signal.SIGKILL
    again = start()
    again.settings()
    ready = again.wait_for("ready")
    assert (ready["recording"], ready["recovered_from"]) == (recording, ["recorder"])
    again.process.terminate()
    assert again.process.wait(PATIENCE_S) == 0
    desk.assert_stored_once(recording)


def test_it_lives_while_its_disk_is_slow(desk: Any, start: Callable[[], Engine]) -> None:
    for _ in range(4):
        desk.capture()
    engine = start()
    engine.settings(faults="encoded:delay=10")
    engine.wait_for("alive")
    began = time.monotonic()
    assert engine.wait_for("alive")["jobs"] == 4
    assert time.monotonic() - began < 10.0
    engine.process.kill()
