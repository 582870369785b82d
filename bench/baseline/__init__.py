"""The bare relay in C that every figure of the media plane stands beside."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from santral.bench.ports import free_block
from santral.bench.process import Child

SOURCE: Final = Path(__file__).parent / "relay.c"


def build(folder: Path) -> Path:
    """Compile the relay into `folder` unless it is there already and newer than its source."""
    program = folder / "bare-relay"
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise RuntimeError("the bare relay needs a C compiler: apt install gcc")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(SOURCE)], check=True)
    return program


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay yet to be started: leg i is on port `first_port` + i. `child` is a context manager."""

    child: Child
    first_port: int


def prepare(folder: Path, peer_ports: Sequence[int], core: int | None) -> Relay:
    """A relay with one leg per peer."""
    first_port = free_block(len(peer_ports))
    words = [str(build(folder)), str(len(peer_ports)), str(first_port)]
    stdin = "\n".join(map(str, peer_ports)) + "\n"
    return Relay(Child(words, folder / "bare-relay.log", core=core, stdin=stdin), first_port)
