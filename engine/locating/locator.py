"""From a URI to the hops its requests are tried at, in order (RFC 3263). Addresses are immediate; names never block."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from santral.engine.config.values import HostPort
from santral.engine.ids import CHANCE
from santral.engine.locating.cache import Answer, NameCache
from santral.engine.locating.hosts import Hosts
from santral.engine.locating.resolver import Resolver
from santral.sip.errors import RemoteError
from santral.sip.events import Hop
from santral.sip.locating import Place, Question, search
from santral.sip.uri import Uri

LOCATE_S: Final = 5.0  # for one URI, whatever it takes to ask
MAX_URIS: Final = 4096
HOSTS_TTL_S: Final = 5.0
SECURE: Final = "tls"

Bound = Mapping[tuple[str, str], tuple[str, int]]  # (interface, transport) -> the address we listen on


class Locator:
    """`bound` is where we listen: an interface sends only by transports and IP versions that it can be answered on.

    A resolver that is slow or dead costs those who ask for unknown names `LOCATE_S` at most, and nobody else anything.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bound: Bound, nameservers: Sequence[HostPort] = ()) -> None:
        self._bound = bound
        self._draw = CHANCE.random
        self._hosts = Hosts(loop.time)
        self._resolver = Resolver(loop.time, nameservers)
        self._names = NameCache(loop, self._ask)

    def counters(self) -> dict[str, int]:
        """Questions asked, failed, merged with the same of others; names remembered."""
        return {"names": len(self._names), **self._names.counters}

    def use(self, nameservers: Sequence[HostPort]) -> None:
        """Ask these from now on; none: those of the system."""
        self._resolver.use(nameservers)

    def hops_now(self, target: str | Uri, interface: str, profile: str = "") -> list[Hop] | None:
        """The hops, best first, when nobody has to be asked; None when `hops` has to be awaited."""
        uri = _parsed(target) if isinstance(target, str) else target
        if uri is None:
            return []
        steps = search(uri, self._spoken(interface), self._draw)
        try:
            questions = next(steps)
            while (answers := self._names.known(questions)) is not None:
                questions = steps.send(answers)
        except StopIteration as end:
            return self._as_hops(uri, end.value, interface, profile)
        return None

    async def hops(self, target: str | Uri, interface: str, profile: str = "") -> list[Hop]:
        """The hops, best first, after look-ups if need be. Never raises; empty when there is no way, or none in time.

        `profile` names the trunk whose certificates secure the connection.
        """
        uri = _parsed(target) if isinstance(target, str) else target
        if uri is None:
            return []
        steps = search(uri, self._spoken(interface), self._draw)
        try:
            async with asyncio.timeout(LOCATE_S):
                questions = next(steps)
                while True:
                    questions = steps.send(await self._names.answers(questions))
        except StopIteration as end:
            return self._as_hops(uri, end.value, interface, profile)
        except TimeoutError:
            return []

    async def close(self) -> None:
        """Stop asking."""
        await self._names.close()

    async def _ask(self, question: Question) -> Answer:
        if question.kind in ("A", "AAAA"):
            own = self._hosts.addresses(question.name, 6 if question.kind == "AAAA" else 4)
            if own is not None:
                return Answer(own, HOSTS_TTL_S)
        return await self._resolver.ask(question)

    def _spoken(self, interface: str) -> dict[str, int]:
        return {
            transport: 6 if ":" in address[0] else 4
            for (name, transport), address in self._bound.items()
            if name == interface
        }

    @staticmethod
    def _as_hops(uri: Uri, places: Sequence[Place], interface: str, profile: str) -> list[Hop]:
        return [
            Hop(transport, host, port, interface, uri.host.lower().rstrip("."), profile)
            if transport == SECURE
            else Hop(transport, host, port, interface)
            for transport, host, port in places
        ]


@lru_cache(maxsize=MAX_URIS)
def _parsed(target: str) -> Uri | None:
    try:
        return Uri.parse(target)
    except RemoteError:
        return None
