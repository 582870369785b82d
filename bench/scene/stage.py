"""The stage: a configuration on free loopback ports, the engine serving it, and phones as processes of their own.

Tests put SIPp and baresip on the same stage, so that the demo's steps do not depend on phones of ours.
"""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from santral.bench.peer import wav
from santral.bench.ports import HOST, free_block, free_ports
from santral.bench.process import Child, environment
from santral.bench.subject import serve_words

SOUNDS: Final = Path(__file__).parents[2] / "engine" / "sounds"
CALLER_SAYS: Final = SOUNDS / "passage-en.wav"
CALLEE_SAYS: Final = SOUNDS / "passage-tr.wav"
PHONE_START_S: Final = 10.0
PHONE_END_S: Final = 30.0
RTP_PORTS: Final = 200
TRY_TIMEOUT_S: Final = 1

ECHO: Final = "9196"
CLOSED: Final = "9197"
COLLEAGUE: Final = "5551234"
BACKED_UP: Final = "6661234"
NOBODY: Final = "7771234"
HELP: Final = "8881234"
QUEUE: Final = "help"
AGENT: Final = "agent"

OFFICE: Final = 'codecs = ["pcma", "pcmu"]'
CONFIGURATION: Final = """\
# Written by the demo: an office, a carrier, and a carrier whose first address is dead.

[engine]
node = "demo"
data_dir = "data"
drain_timeout = 2

[sip]
listen = ["udp:{host}:{engine}"]

[rtp]
address = "{host}"
ports = "{rtp}-{rtp_last}"

[recording]
extras = ["picture"]

[[tenant]]
name = "demo"

[[trunk]]
name = "office"
tenant = "demo"
accept_from = ["{host}/32:{caller}"]
{office}

[[trunk]]
name = "carrier"
tenant = "demo"
targets = ["sip:{host}:{callee}"]
codecs = ["pcma", "pcmu"]

[[trunk]]
name = "backed-up-carrier"
tenant = "demo"
targets = ["sip:{host}:{dead}", "sip:{host}:{callee}"]
strategy = "failover"
try_timeout = {try_timeout}
codecs = ["pcma", "pcmu"]

[[queue]]
name = "{queue}"
tenant = "demo"
announce = {{ first = 1, every = 60 }}

[[agent]]
name = "{agent}"
tenant = "demo"
endpoint = "trunk:carrier/8001"
queues = ["{queue}"]

[[route]]
name = "to-queue"
from_trunk = "office"
called = "{help}"
destinations = [{{ queue = "{queue}" }}]

[[route]]
name = "echo-test"
from_trunk = "office"
called = "{echo}"
destinations = [{{ echo = true }}]

[[route]]
name = "out-of-hours"
from_trunk = "office"
called = "{closed}"
destinations = [{{ play = "closed.wav" }}]

[[route]]
name = "to-carrier"
from_trunk = "office"
called = "555\\\\d{{4}}"
record = "stereo"
destinations = [{{ trunk = "carrier", called = "{{called}}", timeout = 20 }}]

[[route]]
name = "to-backed-up-carrier"
from_trunk = "office"
called = "666\\\\d{{4}}"
destinations = [{{ trunk = "backed-up-carrier", called = "{{called}}", timeout = 20 }}]
"""


class SceneError(Exception):
    """The scene could not be played: no verdict, one line of why."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everyone listens for SIP on loopback."""

    engine: int
    caller: int
    callee: int
    dead: int
    stranger: int
    rtp: int  # the first of RTP_PORTS

    @classmethod
    def choose(cls) -> Self:
        engine, caller, callee, dead, stranger = free_ports(5)
        return cls(engine, caller, callee, dead, stranger, free_block(RTP_PORTS))


@dataclass(frozen=True, slots=True)
class Story:
    """What one phone tells after its call: its report, and what it heard."""

    report: dict[str, Any]
    heard: NDArray[np.int16]


class PhoneProcess:
    """A phone of ours as a process: listening once entered, killed at the latest when the block ends."""

    def __init__(self, folder: Path, name: str, words: Sequence[str]) -> None:
        self._report, self._record = folder / f"{name}.json", folder / f"{name}-heard.wav"
        for old in (self._report, self._record):
            old.unlink(missing_ok=True)
        files = ["--record", str(self._record), "--report", str(self._report)]
        self._words = [sys.executable, "-m", "santral.bench.agent", *words, *files]
        self.name = name

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )
        said = self._process.stdout.readline() if self._process.stdout else ""
        if not said.startswith("listening"):
            raise SceneError(f"phone {self.name}: {self._process.communicate()[1].strip() or said.strip()}")
        return self

    def __exit__(self, *problem: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def story(self) -> Story:
        """Wait for the end of the call. Raises SceneError if it does not end or nothing is told."""
        try:
            _, complaint = self._process.communicate(timeout=PHONE_END_S)
        except subprocess.TimeoutExpired:
            raise SceneError(f"phone {self.name} is still busy after {PHONE_END_S:.0f} s") from None
        if not self._report.exists():
            raise SceneError(f"phone {self.name}: {complaint.strip().splitlines()[-1:] or 'no report'}")
        return Story(json.loads(self._report.read_text()), wav.read(self._record)[0])


class Silent:
    """A bound socket that answers nothing and keeps what comes."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind((HOST, self.port))
        return self

    def __exit__(self, *problem: object) -> None:
        self._socket.close()

    def first_lines(self) -> list[str]:
        """The first line of every datagram that came since the last look."""
        lines: list[str] = []
        while True:
            try:
                data = self._socket.recv(65_535)
            except BlockingIOError:
                return lines
            lines.append(data.partition(b"\r\n")[0].decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Stage:
    """The engine is serving; phones can be put around it."""

    folder: Path
    ports: Ports
    engine: Child

    def phone(self, name: str, role: str, port: int, *words: str) -> PhoneProcess:
        return PhoneProcess(self.folder, name, [role, "--listen", f"{HOST}:{port}", "--user", name, *words])

    def uri(self, number: str) -> str:
        return f"sip:{number}@{HOST}:{self.ports.engine}"


def configuration(ports: Ports, office: str = OFFICE) -> str:
    return CONFIGURATION.format(
        host=HOST,
        engine=ports.engine,
        caller=ports.caller,
        callee=ports.callee,
        dead=ports.dead,
        rtp=ports.rtp,
        rtp_last=ports.rtp + RTP_PORTS - 1,
        try_timeout=TRY_TIMEOUT_S,
        echo=ECHO,
        queue=QUEUE,
        agent=AGENT,
        help=HELP,
        closed=CLOSED,
        office=office,
    )


@contextmanager
def set_up(folder: Path, office: str = OFFICE) -> Iterator[Stage]:
    """Write the configuration into `folder`, start the engine on it, and end it with the block. Raises SceneError.

    `office`: further lines of the callers' trunk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "data", ignore_errors=True)  # a database of an earlier run
    ports = Ports.choose()
    path = folder / "santral.toml"
    path.write_text(configuration(ports, office))
    engine = Child(serve_words(path), folder / "engine.log")
    try:
        engine.__enter__()
    except (RuntimeError, OSError) as problem:
        raise SceneError(f"the engine does not start: {problem}") from problem
    try:
        yield Stage(folder, ports, engine)
    finally:
        engine.stop()
