"""The command line: help, one-line errors, and what commands print."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from santral.engine.cdr.store import CdrStore
from santral.engine.cli import remote
from santral.engine.cli.commands import run_app
from santral.engine.cli.failure import Failure
from santral.engine.config import load
from santral.engine.control.protocol import RequestError
from santral.engine.control.server import ControlServer, ControlSettings
from santral.engine.events import EventLog

ENTRY = "from santral.engine.cli import main; main()"
COMMANDS = ("serve", "check", "explain", "ctl", "events", "doctor", "analyse", "demo", "bench")
CONFIG = """\
[rtp]
ports = "42000-42199"

[sip]
max_calls = 50

[[tenant]]
name = "acme"

[[trunk]]
name = "carrier"
tenant = "acme"
targets = ["sip:192.0.2.1:5060", "sip:192.0.2.2:5060"]
accept_from = ["192.0.2.0/24"]

[[route]]
name = "out"
from_trunk = "carrier"
called = "5\\\\d+"
hours = ["mon-fri 09:00-18:00 UTC"]
destinations = [{ trunk = "carrier", called = "{called[1:]}", timeout = 20 }, { reject = 480 }]
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command in a folder of its own: its status and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SANTRAL_SOCKET", raising=False)

    def command(*arguments: str) -> tuple[int, str, str]:
        status = run_app(list(arguments))
        out, err = capfd.readouterr()
        return status, out, err

    return command


NATIONAL = """
[[tenant]]
name = "acme"
country = "TR"
[[trunk]]
name = "carrier"
tenant = "acme"
accept_from = ["192.0.2.1"]
number_format = "national"
[[trunk]]
name = "pbx"
tenant = "acme"
targets = ["sip:127.0.0.1:5090"]
number_format = "international"
[[number]]
number = "+903125550100"
tenant = "acme"
route = "front"
[[route]]
name = "front"
from_trunk = "carrier"
destinations = [{ trunk = "pbx" }]
"""


class Engine:
    """As much of an engine as the control server needs."""

    def __init__(self, cdrs: CdrStore) -> None:
        self.events = EventLog("n1")
        self.cdrs = cdrs
        self.asked: list[Any] = []

    def status(self) -> dict[str, Any]:
        return {"node": "n1", "city": "İstanbul"}

    def calls(self) -> list[Any]:
        return []

    def call(self, identifier: str) -> None:
        self.asked.append(identifier)

    def ladder(self, _call: str) -> None:
        return None

    def trunks(self) -> list[dict[str, Any]]:
        return [{"name": name, "tenant": "acme", "shared": False} for name in "abc"]

    async def reload(self) -> list[str]:
        raise RequestError("invalid_configuration", "it is wrong", ["line 1: a", "line 2: b"])

    def drain(self) -> None:
        return

    async def doctor(self) -> list[dict[str, Any]]:
        return []


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ControlServer]:
    engine = Engine(CdrStore(f"sqlite:///{tmp_path}/cdr.db", node="n1"))
    server = ControlServer(engine, ControlSettings(tmp_path / "data" / "control.sock"))
    await server.start()
    yield server
    await server.close()


# the command line itself


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), *((name, "--help") for name in COMMANDS)])
def test_every_command_has_help(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run(*arguments)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: santral")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fly",), "No such command 'fly'"),
        (("ctl",), "METHOD"),
        (("check", "--colour"), "--colour"),
        (("events", "--since", "x"), "since"),
        (("explain", "--trunk", "a"), "from"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(run: Run, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert err.startswith("santral: ")


def test_no_command_shows_what_there_is(run: Run) -> None:
    status, out, _ = run()
    assert status == 2
    assert all(name in out for name in COMMANDS)


def test_the_version(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: f"version of {name}")
    assert run("--version") == (0, "santral version of santral\n", "")


def test_an_unexpected_fault_is_one_line_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(remote, "ctl", fail)
    assert run("ctl", "engine.status") == (70, "", "santral: unexpected ZeroDivisionError: by zero\n")
    monkeypatch.setenv("SANTRAL_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("ctl", "engine.status")


def test_help_is_quick_because_it_loads_little() -> None:
    heavy = ("sqlalchemy", "pydantic", "aiohttp", "numpy", "alembic", "rich", "structlog", "santral.sip")
    code = (
        "import sys; sys.argv = ['santral', '--help']\n"
        "try:\n    from santral.engine.cli import main; main()\n"
        f"except SystemExit: print([name for name in {heavy!r} if name in sys.modules])"
    )
    source = str(Path(__file__).parents[2] / "src")
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines()[-1] == "[]"


# check, explain, doctor


def test_explain_shows_what_a_number_is_read_as(run: Run, tmp_path: Path) -> None:
    (tmp_path / "santral.toml").write_text(NATIONAL)
    status, out, _ = run("explain", "--trunk", "carrier", "--from", "05551112233", "--to", "03125550100")
    assert status == 0
    assert "why      caller 05551112233 is +905551112233" in out
    assert "why      called 03125550100 is +903125550100" in out
    assert "why      number +903125550100: leads to route front" in out
    assert "dial 903125550100 on trunk pbx" in out
    assert "+903125550100 written international, TR" in out


def test_octets_of_an_answer_become_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert remote.written({"id": "../x", "pcap": b"abc"}) == {"id": "../x", "pcap": "x.pcap"}
    assert (tmp_path / "x.pcap").read_bytes() == b"abc"
    (tmp_path / "y.pcap").mkdir()
    with pytest.raises(Failure):
        remote.written({"id": "y", "pcap": b"abc"})


def test_a_right_configuration_is_ok(run: Run, tmp_path: Path) -> None:
    (tmp_path / "santral.toml").write_text(CONFIG)
    status, out, _ = run("check")
    assert (status, out) == (0, "santral.toml: ok\n")
    assert run("check", "-c", str(tmp_path / "santral.toml"))[0] == 0


def test_every_problem_is_named_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('[sip]\nmax_calls = "many"\ncolour = "red"\n')
    status, out, err = run("check", "--config", "wrong.toml")
    assert (status, out) == (1, "")
    assert "line 2: sip.max_calls" in err
    assert "line 3: sip.colour" in err
    assert run("check", "-c", "missing.toml")[0] == 1


def test_a_plan_is_explained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "santral.toml").write_text(CONFIG)
    call = ("explain", "--trunk", "carrier", "--from", "100", "--to", "5123")
    status, out, err = run(*call, "--at", "2026-11-23T10:00")
    assert (status, err) == (0, "")
    assert "route    out\n" in out
    assert "try 1    dial 123 on trunk carrier for 20 s at sip:192.0.2.1:5060, then sip:192.0.2.2:5060\n" in out
    assert "try 2    refuse with 480\n" in out
    status, out, _ = run(*call, "--at", "2026-11-22T10:00:00+03:00")
    assert status == 0
    assert "route    none\n" in out
    assert "refuse   404\n" in out
    assert "why      " in out


def test_the_plan_of_a_user_is_explained(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    file.write_text(
        """
[[tenant]]
name = "acme"
domain = "acme.example"
country = "TR"
[[trunk]]
name = "carrier"
tenant = "acme"
targets = ["sip:127.0.0.9"]
[[user]]
name = "101"
tenant = "acme"
password = "hunter2"
[[route]]
name = "out"
tenant = "acme"
destinations = [{ trunk = "carrier" }]
"""
    )
    common = ("explain", "-c", str(file), "--from", "101")
    status, out, _ = run(*common, "--to", "03125550100", "--user", "101@acme.example")
    assert status == 0
    assert "dial +903125550100 on trunk carrier" in out
    status, out, _ = run(*common, "--to", "+442079460000", "--user", "101@acme.example")
    assert "refuse   403" in out
    assert "international is false" in out
    for more in ((), ("--user", "x@y"), ("--user", "101@acme.example", "--trunk", "carrier")):
        assert run(*common, "--to", "1", *more)[0] != 0


def test_what_cannot_be_explained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "santral.toml").write_text(CONFIG)
    status, _, err = run("explain", "--trunk", "none", "--from", "1", "--to", "2")
    assert (status, err) == (1, "santral: no trunk none; there are: carrier\n")
    status, _, err = run("explain", "--trunk", "carrier", "--from", "1", "--to", "2", "--at", "noon")
    assert status == 2
    assert "noon" in err


def test_doctor_examines_offline(run: Run, tmp_path: Path) -> None:
    (tmp_path / "santral.toml").write_text(CONFIG.replace("[sip]", '[sip]\nlisten = ["udp:127.0.0.1:0"]'))
    status, out, _ = run("doctor")
    for check in ("Python", "compiled modules", "open files", "rmem_max", "wmem_max", "clock", "SIP udp", "RTP ports"):
        assert check in out
    assert (status == 1) == ("ERROR" in out)


def test_doctor_reports_a_wrong_configuration(run: Run, tmp_path: Path) -> None:
    (tmp_path / "santral.toml").write_text("[nothing]\n")
    status, out, err = run("doctor")
    assert status == 1
    assert out.startswith("ERROR   configuration: 1 wrong")
    assert "errors found" in err or "error found" in err


# ctl, events


async def test_ctl_prints_the_answer_as_json(server: ControlServer, run: Run) -> None:
    status, out, _ = await asyncio.to_thread(run, "ctl", "engine.status")
    assert (status, json.loads(out)) == (0, {"node": "n1", "city": "İstanbul"})
    assert "İstanbul" in out


@pytest.mark.parametrize("words", [("limit=1", "after=a"), ('{"limit": 1, "after": "a"}',)])
async def test_ctl_takes_words_or_json(server: ControlServer, run: Run, words: tuple[str, ...]) -> None:
    status, out, _ = await asyncio.to_thread(run, "ctl", "trunk.list", *words)
    assert (status, [each["name"] for each in json.loads(out)["items"]]) == (0, ["b"])


async def test_words_have_the_types_that_the_engine_names(server: ControlServer, run: Run) -> None:
    status, _, err = await asyncio.to_thread(run, "ctl", "call.get", "id=5")
    assert (status, err) == (1, "santral: not_found: no such call in progress\n")
    engine = server.engine
    assert isinstance(engine, Engine)
    assert engine.asked == ["5"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("no.such",), 1, "unknown_method"),
        (("no.such", "a=b"), 1, "unknown_method"),
        (("call.get",), 1, "bad_params: id: missing"),
        (("call.list", "limit=x"), 2, "limit: 'x' is no int"),
        (("call.list", "limit"), 2, "key=value"),
        (("call.list", "{1}"), 2, "no JSON object"),
        (("engine.reload",), 1, "invalid_configuration: it is wrong: line 1: a; line 2: b"),
    ],
)
async def test_a_refusal_is_one_line(
    server: ControlServer, run: Run, words: tuple[str, ...], status: int, message: str
) -> None:
    result, out, err = await asyncio.to_thread(run, "ctl", *words)
    assert (result, out, err.count("\n")) == (status, "", 1)
    assert message in err


async def test_the_socket_is_found_by_option_variable_or_configuration(
    server: ControlServer, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = server.addresses[0].removeprefix("unix:")
    monkeypatch.setenv("SANTRAL_SOCKET", "/nowhere")
    assert (await asyncio.to_thread(run, "ctl", "-s", path, "engine.status"))[0] == 0
    status, _, err = await asyncio.to_thread(run, "ctl", "engine.status")
    assert (status, err) == (1, "santral: no engine answers on /nowhere: No such file or directory\n")
    monkeypatch.setenv("SANTRAL_SOCKET", path)
    assert (await asyncio.to_thread(run, "ctl", "engine.status"))[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[control]\nsocket = "x/c.sock"\n',
        '[control]\nsocket = "/run/c.sock"\n',
        '[engine]\ndata_dir = "var"\n',
        None,
    ],
)
def test_the_socket_of_the_configuration_is_the_one_the_engine_takes(
    run: Run, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "santral.toml").write_text(text + CONFIG)
    assert remote.configured_socket() == str(load().control.socket.absolute())


def test_a_configuration_that_cannot_be_read_asks_for_the_socket(run: Run, tmp_path: Path) -> None:
    (tmp_path / "santral.toml").write_text("[engine\n")
    status, _, err = run("ctl", "engine.status")
    assert status == 1
    assert "-s" in err


async def test_events_are_followed_as_json_lines(server: ControlServer, tmp_path: Path) -> None:
    path = server.addresses[0].removeprefix("unix:")
    log = server.engine.events
    log.emit("call.started", call="c1")
    log.emit("leg.started", call="c1")
    source = str(Path(__file__).parents[2] / "src")
    follower = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ENTRY, "events", "-s", path, "--since", "0", "--type", "call.*", "--type", "engine.*"),
        env={**os.environ, "PYTHONPATH": source},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert follower.stdout is not None
    assert json.loads(await follower.stdout.readline())["seq"] == 1
    log.emit("leg.ended", call="c1")
    log.emit("engine.draining")
    assert json.loads(await follower.stdout.readline())["type"] == "engine.draining"
    await server.close()
    _, err = await follower.communicate()
    assert (follower.returncode, err.decode()) == (1, "santral: events ended: the engine stops\n")


async def test_a_reader_of_events_that_leaves_is_no_error(server: ControlServer) -> None:
    path = server.addresses[0].removeprefix("unix:")
    for _ in range(2000):
        server.engine.events.emit("call.started", caller="x" * 100)
    source = str(Path(__file__).parents[2] / "src")
    follower = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ENTRY, "events", "-s", path, "--since", "0"),
        env={**os.environ, "PYTHONPATH": source},
        stdout=(pipe := os.pipe())[1],
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(pipe[1])
    await asyncio.to_thread(os.read, pipe[0], 100)
    os.close(pipe[0])
    server.engine.events.emit("call.ended")
    _, err = await follower.communicate()
    assert (follower.returncode, err) == (0, b"")
