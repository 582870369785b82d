"""MessagePack-RPC frames, sans-IO: bytes in, requests out; answers and notifications to bytes.

Request `[0, id, method, [params]]`, response `[1, id, error, result]`, notification `[2, "event", [event]]`. `params`
is one map, or is left out. Everything a client may send is bounded here.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgpack

MAX_FRAME: Final = 256 * 1024  # bytes of one request; an answer may be longer
MAX_ITEMS: Final = 512  # elements of one array or map; room for them is made before they come, nested ones too
MAX_EXTENSION: Final = 16  # bytes; no method takes one
MAX_ID: Final = 2**32 - 1  # MessagePack-RPC: msgid is 32 bits, unsigned
MAX_METHOD: Final = 64  # characters

REQUEST: Final = 0
RESPONSE: Final = 1
NOTIFICATION: Final = 2

EVENT_PREFIX: Final = b"\x93\x02\xa5event\x91"  # [2, "event", [ …, before an event packed already


class RequestError(Exception):
    """A request that is answered with an error: a stable `code`, a sentence for people, and optional `data`."""

    def __init__(self, code: str, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_map(self) -> dict[str, Any]:
        """Return what the client is told."""
        return {"code": self.code, "message": self.message, "data": self.data}


class FrameError(RequestError):
    """The bytes are no MessagePack-RPC: the client is told, and the connection ends."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_frame", message)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its envelope checked; `params` is not looked at yet."""

    id: int
    method: str
    params: dict[str, Any]


class Requests:
    """Cuts a client's bytes into requests. How the bytes are cut does not matter."""

    def __init__(self) -> None:
        self._received = 0
        self._understood = 0  # bytes, up to the end of the last whole frame
        self._unpacker = msgpack.Unpacker(
            max_buffer_size=2 * MAX_FRAME,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
            max_ext_len=MAX_EXTENSION,
            strict_map_key=True,
        )

    def receive(self, data: bytes) -> tuple[list[Request], FrameError | None]:
        """Return the whole requests that `data` completes, and what is wrong with the bytes after them.

        After an error the connection is beyond repair: what follows has no known beginning.
        """
        requests: list[Request] = []
        try:
            for start in range(0, len(data), MAX_FRAME):
                self._feed(data[start : start + MAX_FRAME], requests)
        except FrameError as problem:
            return requests, problem
        except (ValueError, TypeError, msgpack.UnpackException) as problem:
            return requests, FrameError(f"not MessagePack: {str(problem) or type(problem).__name__}")
        return requests, None

    def _feed(self, piece: bytes, requests: list[Request]) -> None:
        self._unpacker.feed(piece)
        self._received += len(piece)
        for frame in self._unpacker:
            begin, self._understood = self._understood, self._unpacker.tell()
            if self._understood - begin > MAX_FRAME:
                break
            requests.append(read_request(frame))
        else:
            if self._received - self._understood <= MAX_FRAME:
                return
        raise FrameError(f"a request longer than {MAX_FRAME} bytes")


def read_request(frame: Any) -> Request:
    """Check the envelope of one request; FrameError when it is none."""
    match frame:
        case [0, int(identifier), str(method), *params] if 0 <= identifier <= MAX_ID and len(method) <= MAX_METHOD:
            if isinstance(frame[0], bool) or isinstance(identifier, bool):
                raise FrameError("not a request: type and id must be numbers")
            match params:
                case [] | [[]]:
                    return Request(identifier, method, {})
                case [[dict(fields)]] if all(isinstance(name, str) for name in fields):
                    return Request(identifier, method, fields)
    raise FrameError("not a request: [0, id, method, [params]] with one map as params")


def response(identifier: int | None, error: dict[str, Any] | None, result: Any = None) -> bytes:
    """Pack an answer; `identifier` is None only when the request could not be read."""
    packed: bytes = msgpack.packb([RESPONSE, identifier, error, result], default=str, unicode_errors="replace")
    return packed


def notification(name: str, value: Any) -> bytes:
    """Pack a notification with one parameter."""
    packed: bytes = msgpack.packb([NOTIFICATION, name, [value]], default=str, unicode_errors="replace")
    return packed


def event_frame(event: bytes) -> bytes:
    """Wrap an event that is packed already."""
    return EVENT_PREFIX + event
