"""Names this machine knows by itself: localhost (RFC 6761 section 6.3) and what its hosts file says."""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

HOSTS: Final = Path("/etc/hosts")
MAX_FILE: Final = 2**20  # octets read of it
LOOKED_AT_S: Final = 5.0  # how often a change of the file is noticed
LOCALHOST: Final = {4: ("127.0.0.1",), 6: ("::1",)}


class Hosts:
    """The hosts file, read again when it changes. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float], path: Path = HOSTS) -> None:
        self._clock = clock
        self._path = path
        self._look_at = 0.0
        self._seen: tuple[int, int] | None = None
        self._names: dict[tuple[str, int], tuple[str, ...]] = {}

    def addresses(self, name: str, version: int) -> tuple[str, ...] | None:
        """The addresses of a name (lower case) of IP version 4 or 6; None for a name this machine does not know."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + LOOKED_AT_S
            self._look()
        if name == "localhost" or name.endswith(".localhost"):
            return self._names.get((name, version), LOCALHOST[version])
        return self._names.get((name, version))

    def _look(self) -> None:
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_size)
            if seen != self._seen:
                with self._path.open("rb") as file:
                    self._names = parse_hosts(file.read(MAX_FILE).decode(errors="replace"))
                self._seen = seen
        except OSError:
            self._seen, self._names = None, {}


def parse_hosts(text: str) -> dict[tuple[str, int], tuple[str, ...]]:
    """hosts(5): name and IP version to addresses; lines that cannot be read are left out."""
    found: dict[tuple[str, int], tuple[str, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            version = ip_address(address).version
        except ValueError:
            continue
        for name in names:
            key = (name.lower().rstrip("."), version)
            found[key] = (*found.get(key, ()), address)
    return found
