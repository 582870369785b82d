"""The numbers of events: counted from 1, or kept on disk in blocks so that none is used twice."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from santral.engine import log

BLOCK: Final = 10_000  # numbers reserved on disk at a time; a crash skips at most this many


class SequenceError(Exception):
    """The file with the event numbers cannot be used; the text names it and says what to do."""


class Numbers:
    """Event numbers for one run, starting at 1: for tests and engines that keep nothing."""

    def __init__(self, first: int = 1) -> None:
        self.first: Final = first
        self._next = first

    def take(self) -> int:
        """Return the next number."""
        number = self._next
        self._next = number + 1
        return number

    def close(self) -> None:
        """Give up; a later run may use every number not taken."""


class SequenceFile(Numbers):
    """Event numbers that survive restarts: a file holds a number no event has reached yet.

    Blocks are reserved ahead on a thread, so that `take` never waits for the disk. After a crash the next run starts at
    the reserved number, skipping those of the block that were never used; after `close` nothing is skipped.
    """

    def __init__(self, path: Path) -> None:
        """Read and reserve, synchronously: before the loop runs. SequenceError when the file is unusable."""
        self._path = path
        try:
            super().__init__(read_number(path) + 1)
            write_number(path, self.first - 1 + BLOCK)
        except (OSError, ValueError) as problem:
            raise SequenceError(f"{path}: {problem}") from None
        self._renew_at = self.first + BLOCK // 2
        self._writer = ThreadPoolExecutor(1, "sequence")
        self.failures = 0  # reservations the disk refused; numbers could repeat after a crash

    def take(self) -> int:
        number = super().take()
        if number == self._renew_at:
            self._renew_at += BLOCK // 2
            self._writer.submit(self._reserve, number + BLOCK)
        return number

    def close(self) -> None:
        """Write the exact position; numbers must not be taken afterwards. Never raises for a broken disk."""
        self._writer.submit(self._reserve, self._next - 1)
        self._writer.shutdown(wait=True)

    def _reserve(self, number: int) -> None:
        try:
            write_number(self._path, number)
        except OSError as problem:
            self.failures += 1
            log.get("events").error("event numbers cannot be reserved", path=str(self._path), error=str(problem))


def read_number(path: Path) -> int:
    """Read the reserved number, 0 if there is no file yet; ValueError if it holds something else."""
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return 0
    if not text.isdigit() or len(text) > 18:
        raise ValueError("not an event number; remove the file to count from 1 again")
    return int(text)


def write_number(path: Path, number: int) -> None:
    """Replace the file so that after a power cut it holds either the old number or the new one."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w") as file:
        file.write(f"{number}\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
