"""The engine as the benchmarks' subject: its configuration, its process, and the one bridge every load goes through."""

import os
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from santral.bench.control import Control
from santral.bench.load.calls import CallLoad
from santral.bench.load.legs import Legs
from santral.bench.ports import HOST, free_ports
from santral.bench.process import Child

RTP_PORTS: Final = "20000-31999"

CONFIGURATION: Final = """\
[engine]
node = "bench"
data_dir = "data"
drain_timeout = 1

[sip]
listen = ["udp:{host}:{port}"]
max_calls = 10000
max_calls_per_second = 10000

[rtp]
address = "{host}"
ports = "{rtp_ports}"

[[tenant]]
name = "bench"

[[trunk]]
name = "callers"
tenant = "bench"
accept_from = ["{host}/32:{caller_port}"]
codecs = ["pcma"]

[[trunk]]
name = "callees"
tenant = "bench"
targets = ["sip:{host}:{callee_port}"]
codecs = ["pcma"]

[[route]]
name = "through"
from_trunk = "callers"
called = "\\\\d+"
destinations = [{{ trunk = "callees", called = "{{called}}", timeout = 30 }}]
"""


def serve_words(configuration: Path) -> list[str]:
    """The command that starts the engine under the Python that runs us."""
    return [sys.executable, "-m", "santral.engine.cli", "serve", "-c", str(configuration)]


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine configured in `folder` for one load; the load is made first, since the engine must know its ports."""

    folder: Path
    load: CallLoad

    @classmethod
    def prepare(cls, folder: Path, legs: Legs | None) -> "Subject":
        """Write the configuration into an empty folder and make the load that goes with it."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        port, caller_port, callee_port = free_ports(3)
        load = CallLoad((HOST, port), legs, caller_port=caller_port, callee_port=callee_port)
        text = CONFIGURATION.format(
            host=HOST, port=port, caller_port=caller_port, callee_port=callee_port, rtp_ports=RTP_PORTS
        )
        (folder / "santral.toml").write_text(text)
        return cls(folder, load)

    def start(self, core: int | None) -> Child:
        """The engine's process, a context manager."""
        return Child(serve_words(self.folder / "santral.toml"), self.folder / "engine.log", core=core)

    def status(self) -> dict[str, Any]:
        """What `engine.status` says."""
        with Control(self.folder / "data" / "control.sock") as control:
            answer = control.ask("engine.status")
        if not isinstance(answer, dict):
            raise TypeError(f"engine.status is {type(answer).__name__}")
        return answer

    def call_records(self) -> int:
        """Rows in the call table of the engine's database."""
        with sqlite3.connect(f"file:{self.folder / 'data' / 'santral.db'}?mode=ro", uri=True) as database:
            (count,) = database.execute("SELECT count(*) FROM calls").fetchone()
        return int(count)


def numbers_in(value: Any, path: str = "") -> dict[str, float]:
    """Every number of a nested answer by its dotted path."""
    if isinstance(value, dict):
        return {key: number for name, one in value.items() for key, number in numbers_in(one, f"{path}{name}.").items()}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {path[:-1]: float(value)}
    return {}


def machine() -> dict[str, Any]:
    """What a reader needs to know of the machine to compare figures."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown",
    )
    return {"cores": os.cpu_count(), "model": model, "kernel": os.uname().release, "python": sys.version.split()[0]}
