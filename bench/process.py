"""Processes under measurement: started on one core, read through /proc, always ended."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self

START_S: Final = 30.0
STOP_S: Final = 10.0
PAGE: Final = os.sysconf("SC_PAGE_SIZE")

GENERATOR_CORE: Final = 0
SUBJECT_CORE: Final = 1


def cores() -> tuple[int | None, int | None]:
    """The load's core and the subject's; (None, None) on a machine with only one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[GENERATOR_CORE], usable[SUBJECT_CORE]) if len(usable) > 1 else (None, None)


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """This thread, and what it starts, on one core."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Bystanders:
    """CPU used since construction by all but us and the subject, the hypervisor included: it spoils figures."""

    def __init__(self, subject: "Child | None") -> None:
        self._subject = subject
        self._began, self._before = time.monotonic(), self._used_s()

    def _used_s(self) -> float:
        user, nice, system, _idle, _waiting, *interrupts = (
            int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        )
        everybody = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
        return everybody - time.process_time() - (self._subject.figures().cpu_ns / 1e9 if self._subject else 0.0)

    def cores(self) -> float:
        """How many cores they kept busy on average."""
        return max(0.0, (self._used_s() - self._before) / max(1e-3, time.monotonic() - self._began))


def environment() -> dict[str, str]:
    """Ours, with the folder that holds `santral` first on the path: children run the code we run."""
    folders = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders)}


@dataclass(frozen=True, slots=True)
class Figures:
    """What /proc says of one process."""

    at: float  # monotonic seconds
    cpu_ns: int  # all threads, user and system
    resident: int  # bytes
    files: int
    threads: int


def read_figures(pid: int) -> Figures:
    root = Path(f"/proc/{pid}")
    cpu_ns = sum(int((task / "schedstat").read_text().split()[0]) for task in (root / "task").iterdir())
    resident = int((root / "statm").read_text().split()[1]) * PAGE
    files = len(list((root / "fd").iterdir()))
    return Figures(time.monotonic(), cpu_ns, resident, files, len(list((root / "task").iterdir())))


class Child:
    """A process of ours: ready when it has printed the line `ready`, gone at the end of the `with` block."""

    def __init__(self, words: Sequence[str], log: Path, *, core: int | None = None, stdin: str = "") -> None:
        self._log = log
        self._pinned = [*(["taskset", "-c", str(core)] if core is not None else []), *words]
        self._stdin = stdin

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._pinned, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment()
            )
        stdin: IO[bytes] | None = self._process.stdin
        if stdin is not None:
            stdin.write(self._stdin.encode())
            stdin.close()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up:
            said = self._log.read_text(errors="replace").splitlines()
            if "ready" in said:
                return
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._pinned[0]} ended with {self._process.returncode}: {' | '.join(said[-3:])}")
            time.sleep(0.02)
        raise RuntimeError(f"{' '.join(self._pinned)} is not ready after {START_S:.0f} s, see {self._log}")

    def __exit__(self, *problem: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def figures(self) -> Figures:
        return read_figures(self._process.pid)

    def tell(self, signal_number: signal.Signals) -> None:
        self._process.send_signal(signal_number)

    def stop(self) -> int:
        """SIGTERM, again after a moment (an engine that drains), then SIGKILL. Returns the exit status."""
        for signal_number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            self._process.send_signal(signal_number)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                continue
        return self._process.wait()

    def output(self) -> str:
        return self._log.read_text(errors="replace")
