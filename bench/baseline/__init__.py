"""The bare relay in C that every figure of the media plane stands beside."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from santral.bench.process import Child

SOURCE: Final = Path(__file__).parent / "relay.c"
FIRST_PORT: Final = 14_000


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


def start(folder: Path, peer_ports: Sequence[int], core: int | None, first_port: int = FIRST_PORT) -> Child:
    """A relay with one leg per peer: leg i on port `first_port` + i. Use as a context manager."""
    words = [str(build(folder)), str(len(peer_ports)), str(first_port)]
    return Child(words, folder / "bare-relay.log", core=core, stdin="\n".join(map(str, peer_ports)) + "\n")
