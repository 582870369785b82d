"""The engine as a process: start, signals, reload, and what a killed one leaves behind."""

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from santral.engine.control.client import SyncClient

CONFIG = """
[engine]
data_dir = "data"
drain_timeout = {drain_timeout}
[sip]
listen = ["udp:127.0.0.1:0"]
[rtp]
ports = "0"
[[tenant]]
name = "acme"
[[trunk]]
name = "phones"
tenant = "acme"
accept_from = ["127.0.0.0/8"]
[[route]]
name = "echo"
from_trunk = "phones"
called = "{called}"
destinations = [{{ echo = true }}]
"""
START_S = 20.0
SANTRAL = [sys.executable, "-c", "from santral.engine.cli import main; main()"]


class Process:
    """`santral serve` on a configuration in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "santral.toml"
        self.log = (folder / "log").open("a")
        self.child = subprocess.Popen(
            [*SANTRAL, "serve", "-c", str(self.file)],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")},
        )  # fmt: skip
        self.said: list[str] = []
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.said.append(line.strip())
            if line.strip() == "ready":
                break
        found = re.search(r"udp:127\.0\.0\.1:(\d+)", "\n".join(self.said))
        self.port = int(found[1]) if found else 0

    def control(self) -> contextlib.closing[SyncClient]:
        return contextlib.closing(SyncClient(str(self.folder / "data/control.sock")))

    def wait(self, seconds: float = 10.0) -> int:
        return self.child.wait(seconds)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()
        self.log.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    started: list[Process] = []

    def begin(called: str = "9196", drain_timeout: int = 30) -> Process:
        write(tmp_path, called, drain_timeout)
        started.append(Process(tmp_path))
        return started[-1]

    yield begin
    for process in started:
        process.close()


def open_rows(folder: Path) -> int:
    """How many calls in progress the database knows of."""
    with contextlib.closing(sqlite3.connect(folder / "data/santral.db")) as database:
        return int(database.execute("SELECT count(*) FROM open_calls").fetchone()[0])


def write(folder: Path, called: str, drain_timeout: int = 30) -> None:
    (folder / "santral.toml").write_text(CONFIG.format(called=called, drain_timeout=drain_timeout))


def place(phone: socket.socket, port: int, number: int, called: str = "9196") -> str:
    """Send an INVITE, acknowledge its final answer, return that answer's text."""
    own = phone.getsockname()[1]
    body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

    def text(method: str, to: str, content: str) -> bytes:
        return (
            f"{method} sip:{called}@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{method}{own}{number}\r\n"
            f"From: <sip:a@b>;tag={number}\r\nTo: {to}\r\nCall-ID: {own}-{number}\r\nCSeq: 1 {method}\r\n"
            f"Contact: <sip:a@127.0.0.1:{own}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}"
        ).encode()

    phone.sendto(text("INVITE", "<sip:c@d>", body), ("127.0.0.1", port))
    while True:
        answer = phone.recv(65536).decode()
        if not answer.startswith("SIP/2.0 100"):
            break
    to = re.search(r"^To: (.*)\r$", answer, re.MULTILINE)
    assert to is not None
    phone.sendto(text("ACK", to[1], ""), ("127.0.0.1", port))
    return answer


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.settimeout(5)
        yield found


def until(what: Any, seconds: float = 5.0) -> Any:
    """The first true value of `what()`."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return value


def test_it_says_where_it_listens_and_stops_on_sigterm(run: Any) -> None:
    process = run()
    assert process.said[-1] == "ready"
    assert any(line.startswith("listening on udp:127.0.0.1:") for line in process.said)
    with process.control() as control:
        assert control.call("engine.status")["state"] == "ready"
    process.child.send_signal(signal.SIGTERM)
    assert process.wait() == 0


def test_sigterm_lets_calls_end_and_takes_no_new_ones(run: Any, phone: socket.socket) -> None:
    process = run()
    assert place(phone, process.port, 1).startswith("SIP/2.0 200")
    process.child.send_signal(signal.SIGTERM)
    with process.control() as control:
        until(lambda: control.call("engine.status")["state"] == "draining")
        assert place(phone, process.port, 2).startswith("SIP/2.0 503")
        (call,) = control.call("call.list")["items"]
        control.call("call.hangup", id=call["id"])
    assert process.wait() == 0


def test_a_second_sigterm_stops_now_and_the_call_gets_its_record(run: Any, phone: socket.socket) -> None:
    process = run()
    place(phone, process.port, 1)
    process.child.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    process.child.send_signal(signal.SIGTERM)
    assert phone.recv(65536).startswith(b"BYE ")
    assert process.wait() == 0
    again = run()
    with again.control() as control:
        (record,) = control.call("cdr.list")["items"]
    assert (record["cause"], record["hung_up_by"]) == ("hung_up", "engine")


def test_the_drain_has_an_end(run: Any, phone: socket.socket) -> None:
    process = run(drain_timeout=1)
    place(phone, process.port, 1)
    process.child.send_signal(signal.SIGTERM)
    assert phone.recv(65536).startswith(b"BYE ")
    assert process.wait() == 0


def test_a_reload_changes_routes_and_a_wrong_one_changes_nothing(run: Any, phone: socket.socket) -> None:
    process = run()
    write(process.folder, "(")
    process.child.send_signal(signal.SIGHUP)
    until(lambda: "the old one stays" in (process.folder / "log").read_text())
    assert place(phone, process.port, 1).startswith("SIP/2.0 200")
    write(process.folder, "1234")
    with process.control() as control:
        follow = control.call("engine.status")["events"]["last"]
        process.child.send_signal(signal.SIGHUP)
        until(lambda: control.call("engine.status")["events"]["last"] > follow)
    assert place(phone, process.port, 2).startswith("SIP/2.0 404")
    assert place(phone, process.port, 3, "1234").startswith("SIP/2.0 200")


def test_a_killed_engine_s_call_gets_its_record_at_the_next_start(run: Any, phone: socket.socket) -> None:
    process = run()
    place(phone, process.port, 1)
    until(lambda: open_rows(process.folder))
    with process.control() as control:
        last = control.call("engine.status")["events"]["last"]
    process.child.kill()
    process.wait()
    again = run()
    with again.control() as control:
        (record,) = control.call("cdr.list")["items"]
        assert control.call("engine.status")["events"]["last"] > last  # numbers never repeat
    assert (record["cause"], record["caller"], record["called"]) == ("engine_lost", "a", "9196")


def test_a_wrong_configuration_never_starts(tmp_path: Path) -> None:
    write(tmp_path, "(")
    done = subprocess.run(
        [*SANTRAL, "serve", "-c", str(tmp_path / "santral.toml")],
        capture_output=True, text=True, timeout=START_S, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")},
    )  # fmt: skip
    assert done.returncode == 1
    assert "route[1].called" in done.stderr or "called" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ready" not in done.stdout


def test_a_taken_port_is_one_clear_line(run: Any, tmp_path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind(("127.0.0.1", 0))
        write(tmp_path, "9196")
        text = (tmp_path / "santral.toml").read_text().replace("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}")
        (tmp_path / "santral.toml").write_text(text)
        process = Process(tmp_path)
        assert process.wait() == 1
        process.close()
    log = (tmp_path / "log").read_text()
    assert "cannot start" in log
    assert "Traceback" not in log
