"""The ledger on disk: a file of lines per month, appended to under a lock, each line on the disk before it counts.

It holds ids, names, hashes and times, never who was on the phone: lines are kept for good, also those of erased
recordings. A line that a power cut left unfinished was never told to anybody and is cut off. `head.json` remembers the
last line, signed, so that a ledger cut short is noticed here; one rewritten with this machine's key only by an anchor.
"""

import base64
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from santral.recorder.ledger import line
from santral.recorder.ledger.line import Entry, LedgerError
from santral.recorder.storage.disk import make_folders, sync_folder, write_whole

MONTHS: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"
PRIVATE: Final = "private.pem"
PUBLIC: Final = "public.pem"
HEAD: Final = "head.json"
HEAD_CONTEXT: Final = b"santral ledger head 1\0"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next line will be: what is written from here on is newer than what one knows."""

    month: str = ""
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.month}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        month, _, offset = text.partition(":")
        return cls(month, int(offset or 0))


class Ledger:
    """Any number of processes may have it open: who appends reads first what others have appended."""

    def __init__(self, folder: Path, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._folder = folder
        self._clock_ms = clock_ms
        self._key: Ed25519PrivateKey | None = None
        self._place = Place()
        self._number = 0
        self._hash = line.START

    def append(self, kind: str, facts: Mapping[str, Any], *, since: Place | None = None) -> Entry:
        """Write a line; with `since`, only if none of this kind and recording was written from there on.

        Raises OSError (the disk) or `LedgerError` (what is there is no ledger).
        """
        make_folders(self._folder)
        with self._locked():
            self._catch_up()
            if since is not None:
                for entry in self._from(since):
                    if entry.kind == kind and entry.facts.get("recording") == facts.get("recording"):
                        return entry
            now = max(self._clock_ms(), 0)
            entry = line.write(kind, facts, after=(self._number, self._hash), at_ms=now, key=self._private())
            month = max(self._place.month, time.strftime("%Y-%m", time.gmtime(now / 1000)))
            self._write(month, entry)
        return entry

    def place(self) -> Place:
        """Where the next line will be, as of now."""
        with self._locked():
            self._catch_up()
            return self._place

    def head(self) -> tuple[int, str]:
        """Number and hash of the last line; 0 and zeros of an empty ledger."""
        with self._locked():
            self._catch_up()
            return self._number, self._hash

    def entries(self) -> Iterator[Entry]:
        """All lines in order. Raises `LedgerError` at one that is none."""
        yield from self._from(Place())

    def sign(self, text: bytes) -> bytes:
        """An Ed25519 signature with the ledger's key."""
        with self._locked():
            return self._private().sign(text)

    def public_pem(self) -> str:
        with self._locked():
            self._private()
        return (self._folder / PUBLIC).read_text()

    def months(self) -> list[Path]:
        return sorted(self._folder.glob(MONTHS))

    def _write(self, month: str, entry: Entry) -> None:
        path = self._folder / f"{month}.jsonl"
        is_new = not path.exists()
        with path.open("ab") as file:
            start = file.tell()
            try:
                file.write(entry.raw + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(start)  # a full disk leaves no half line
                raise
        if is_new:
            sync_folder(self._folder)
        self._place = Place(month, start + len(entry.raw) + 1)
        self._number, self._hash = entry.number, entry.hash
        self._write_head()

    def _write_head(self) -> None:
        text = f"{self._number} {self._hash}"
        signature = self._private().sign(HEAD_CONTEXT + text.encode())
        said = {"n": self._number, "hash": self._hash, "signature": base64.b64encode(signature).decode()}
        write_whole(self._folder / HEAD, json.dumps(said).encode(), 0o644)

    def _catch_up(self) -> None:
        """Go to the last line, whoever wrote it; cut off what a crash has left unfinished."""
        for path in reversed(self.months()):
            start = self._place.offset if path.stem == self._place.month else 0
            if path.stem < self._place.month or path.stat().st_size <= start:
                break
            data = path.read_bytes()[start:]
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(path, start + whole)
            if whole:
                entry = line.read(data[:whole].splitlines()[-1])
                self._number, self._hash = entry.number, entry.hash
                self._place = Place(path.stem, start + whole)
                break

    def _from(self, place: Place) -> Iterator[Entry]:
        for path in self.months():
            if path.stem >= place.month:
                with path.open("rb") as file:
                    file.seek(place.offset if path.stem == place.month else 0)
                    for raw in file:
                        if raw.endswith(b"\n"):
                            yield line.read(raw[:-1])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_folders(self._folder)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _private(self) -> Ed25519PrivateKey:
        if self._key is None:
            path = self._folder / PRIVATE
            if not path.exists():
                if self.months():
                    raise LedgerError("the ledger's key is gone, so nothing can be added to it")
                self._make_key(path)
            key = serialization.load_pem_private_key(path.read_bytes(), None)
            if not isinstance(key, Ed25519PrivateKey):
                raise LedgerError("the ledger's key is of another kind")
            self._key = key
        return self._key

    def _make_key(self, path: Path) -> None:
        key = Ed25519PrivateKey.generate()
        pem = serialization.Encoding.PEM
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        write_whole(self._folder / PUBLIC, public, 0o644)
        plain = serialization.NoEncryption()
        write_whole(path, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Raises `LedgerError`."""
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError:
        raise LedgerError("not a public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise LedgerError("the public key is not of Ed25519")
    return key


def examine(folder: Path, key: Ed25519PublicKey | None = None) -> tuple[list[Entry], list[str]]:
    """All lines that can be read, and everything that is wrong with the chain; changes nothing.

    `key`: the public key as somebody outside has kept it; else the one beside the ledger.
    """
    try:
        key = key or public_key((folder / PUBLIC).read_bytes())
    except (OSError, LedgerError):
        return [], ["the public key is missing or damaged"] if sorted(folder.glob(MONTHS)) else []
    entries: list[Entry] = []
    wrong: list[str] = []
    previous, expected = line.START, 1
    for path in sorted(folder.glob(MONTHS)):
        for number, raw in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
            where = f"{path.name} line {number}"
            try:
                entry = line.read(raw)
            except LedgerError:
                wrong.append(f"{where}: not a line of a ledger")
                expected += 1
                continue
            if not line.is_signed(entry, key):
                wrong.append(f"{where}: changed, or signed by another key")
            if entry.number != expected:
                wrong.append(f"{where}: is number {entry.number}, expected {expected}: lines are missing or moved")
            elif entry.previous != previous:
                wrong.append(f"{where}: does not follow the line before it")
            previous, expected = entry.hash, entry.number + 1
            entries.append(entry)
    return entries, wrong + _examine_head(folder, entries, key)


def _examine_head(folder: Path, entries: list[Entry], key: Ed25519PublicKey) -> list[str]:
    try:
        said = json.loads((folder / HEAD).read_bytes())
        number, digest, signature = int(said["n"]), str(said["hash"]), base64.b64decode(said["signature"])
        key.verify(signature, HEAD_CONTEXT + f"{number} {digest}".encode())
    except FileNotFoundError:
        return ["the head is missing"] if len(entries) > 1 else []
    except (OSError, ValueError, TypeError, KeyError, InvalidSignature):
        return ["the head is changed, or signed by another key"]
    return missing_anchor(entries, number, digest, "the head")


def missing_anchor(entries: list[Entry], number: int, digest: str, what: str) -> list[str]:
    """What is wrong if the chain does not go through the line that `what` remembers."""
    found = next((entry for entry in entries if entry.number == number), None)
    if found is None:
        return [f"{what} remembers line {number}, which is not there: the ledger was cut short"]
    return [] if found.hash == digest else [f"{what} remembers another line {number}: the ledger was rewritten"]
