"""The first answers to requests that carried a `key`, so that repeating one does nothing twice. Bounded."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgpack

from santral.engine.control.access import Identity
from santral.engine.control.protocol import RequestError

MAX_ANSWERS: Final = 4096  # all clients together; the oldest is forgotten first
MAX_KEY: Final = 128  # characters


@dataclass(frozen=True, slots=True)
class First:
    """A request that is being answered or was: what it asked, and the answer to come or given."""

    asked: bytes
    answer: asyncio.Future[Any]


class Answers:
    """Remembers answers per client and key. A client that reconnects gets its first answer all the same."""

    def __init__(self, most: int = MAX_ANSWERS) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[Identity, str], First] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    async def once(
        self, who: Identity, key: Any, method: str, params: Mapping[str, Any], act: Callable[[], Awaitable[Any]]
    ) -> Any:
        """Return what `act` returned (or raised) the first time; RequestError when the key meant something else."""
        if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
            raise RequestError("bad_params", f"key: must be str of 1 to {MAX_KEY} characters", {"fields": ["key"]})
        asked = hashlib.sha256(msgpack.packb([method, sorted(params.items())])).digest()
        known = self._kept.get((who, key))
        if known is None:
            return await self._first(who, key, asked, act)
        if known.asked != asked:
            raise RequestError("key_reused", "this key was used for another request", {"key": key})
        return await asyncio.shield(known.answer)

    async def _first(self, who: Identity, key: str, asked: bytes, act: Callable[[], Awaitable[Any]]) -> Any:
        answer = asyncio.ensure_future(act())  # runs on when the client that asked goes away
        answer.add_done_callback(lambda done: self._settle(who, key, done))
        self._kept[(who, key)] = First(asked, answer)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return await asyncio.shield(answer)

    def _settle(self, who: Identity, key: str, answer: asyncio.Future[Any]) -> None:
        """Keep results and refusals; forget what failed by a fault of ours, so that it may be tried again."""
        if answer.cancelled() or (answer.exception() and not isinstance(answer.exception(), RequestError)):
            self._kept.pop((who, key), None)
