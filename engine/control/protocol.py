"""MessagePack-RPC frames, sans-IO: bytes in, requests out; answers and notifications to bytes."""

from typing import Any


class RequestError(Exception):
    """A request that is answered with an error: a stable `code`, a sentence for people, and optional `data`."""

    def __init__(self, code: str, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
