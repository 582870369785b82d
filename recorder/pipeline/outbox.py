"""Reports for the engine, kept until it has noted them; a report that the disk does not take is kept in memory."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgpack

from santral.recorder.storage.disk import make_folders, write_whole

SUFFIX: Final = ".msgpack"


class Outbox:
    """One report per subject and kind: a newer one takes the older one's place. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._unwritten: dict[str, bytes] = {}
        self._fresh: list[str] = []

    def put(self, subject: str, kind: str, **said: Any) -> None:
        """Keep a report, and have it sent."""
        name = f"{subject}.{kind}"
        data: bytes = msgpack.packb({"kind": kind, "report": name, **said})
        with self._lock:
            try:
                make_folders(self._folder)
                write_whole(self._folder / (name + SUFFIX), data)
                self._unwritten.pop(name, None)
            except OSError:
                self._unwritten[name] = data
            self._fresh.append(name)

    def drop(self, name: str) -> None:
        """It was noted, or is not true any more."""
        with self._lock:
            self._unwritten.pop(name, None)
            if "/" not in name:
                (self._folder / (name + SUFFIX)).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """All that are kept, oldest first."""
        with self._lock:
            kept = []
            for path in self._folder.glob(f"*{SUFFIX}"):
                with suppress(FileNotFoundError):  # another recorder's engine has noted it
                    kept.append((path.stat().st_mtime_ns, path.name.removesuffix(SUFFIX)))
            return [*self._unwritten, *(name for _, name in sorted(kept))]

    def fresh(self) -> list[str]:
        """Those put since this was last asked."""
        with self._lock:
            found, self._fresh = list(dict.fromkeys(self._fresh)), []
            return found

    def get(self, name: str) -> dict[str, Any] | None:
        """None if it was noted in the meantime, or cannot be read."""
        with self._lock:
            data = self._unwritten.get(name)
            try:
                said = msgpack.unpackb(data or (self._folder / (name + SUFFIX)).read_bytes())
            except (OSError, ValueError):
                return None
            return said if isinstance(said, dict) else None
