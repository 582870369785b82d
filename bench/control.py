"""A client of the control socket in a few lines: MessagePack-RPC requests, one at a time, blocking."""

import socket
from pathlib import Path
from typing import Any, Final, Self

import msgpack

TIMEOUT_S: Final = 10.0
REQUEST: Final = 0
RESPONSE: Final = 1
NOTIFICATION: Final = 2


class RefusedError(Exception):
    """The engine answered a request with an error."""


class Control:
    """A context manager over one connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next_id = 0

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT_S)
        self._socket.connect(str(self._path))
        self._unpacker = msgpack.Unpacker()
        return self

    def __exit__(self, *problem: object) -> None:
        self._socket.close()

    def ask(self, method: str, **fields: Any) -> Any:
        """The result. Raises RefusedError with the engine's error, OSError when the connection fails."""
        self._next_id += 1
        self._socket.sendall(msgpack.packb([REQUEST, self._next_id, method, [fields]]))
        while True:
            for frame in self._unpacker:
                if frame[0] == RESPONSE and frame[1] == self._next_id:
                    if frame[2] is not None:
                        raise RefusedError(f"{method}: {frame[2]}")
                    return frame[3]
            data = self._socket.recv(65_536)
            if not data:
                raise OSError("the engine closed the control connection")
            self._unpacker.feed(data)

    def told(self, quiet_s: float, enough: int = 0) -> list[dict[str, Any]]:
        """The events that come until none has come for this long, or there are `enough` of them.

        Raises OSError when the connection fails.
        """
        found: list[dict[str, Any]] = []
        self._socket.settimeout(quiet_s)
        while True:
            found += [frame[2][0] for frame in self._unpacker if frame[0] == NOTIFICATION]
            if 0 < enough <= len(found):
                return found
            try:
                data = self._socket.recv(65_536)
            except TimeoutError:
                return found
            if not data:
                raise OSError("the engine closed the control connection")
            self._unpacker.feed(data)
