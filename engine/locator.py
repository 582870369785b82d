"""From a target URI to the hop its requests go to. Addresses are immediate; names are looked up off the loop."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from santral.engine.config.values import TargetUri
from santral.sip.events import Hop

DEFAULT_PORT: Final = 5060  # RFC 3261 19.1.2, udp and tcp
LOOKUP_TIMEOUT_S: Final = 3.0
KEPT_S: Final = 30.0  # an answer, good or bad, is believed so long
MAX_NAMES: Final = 1024


Bound = Mapping[tuple[str, str], tuple[str, int]]  # (interface, transport) -> the address we listen on


class Locator:
    """Remembers look-ups for `KEPT_S`, so that a dead resolver costs one time-out per name and half minute.

    A name may have addresses of both families: the first that the interface can reach counts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bound: Bound) -> None:
        self._loop = loop
        self._bound = bound
        self._known: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()

    def hop_now(self, target: str, interface: str) -> Hop | None:
        """The hop when the target is an address, or a name looked up lately; None when `hop` has to be awaited."""
        uri = _parsed(target)
        if _is_address(uri.host):
            return self._hop(uri, (uri.host,), interface)
        known = self._known.get(uri.host)
        return self._hop(uri, known[1], interface) if known is not None and known[0] > self._loop.time() else None

    async def hop(self, target: str, interface: str) -> Hop | None:
        """The hop, after a look-up if need be; None when the interface has no way to it."""
        uri = _parsed(target)
        if _is_address(uri.host):
            return self._hop(uri, (uri.host,), interface)
        known = self._known.get(uri.host)
        if known is None or known[0] <= self._loop.time():
            known = self._remember(uri.host, await self._look_up(uri.host))
        return self._hop(uri, known[1], interface)

    def _hop(self, uri: TargetUri, addresses: Iterable[str], interface: str) -> Hop | None:
        own = self._bound.get((interface, uri.transport))
        if own is None:
            return None
        for address in addresses:
            if (":" in address) == (":" in own[0]):
                return Hop(uri.transport, address, uri.port or DEFAULT_PORT, interface)
        return None

    def _remember(self, name: str, addresses: tuple[str, ...]) -> tuple[float, tuple[str, ...]]:
        known = self._known[name] = (self._loop.time() + KEPT_S, addresses)
        self._known.move_to_end(name)
        if len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)
        return known

    async def _look_up(self, name: str) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                found = await self._loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except (OSError, TimeoutError, UnicodeError):  # UnicodeError: no host name by IDNA's rules
            return ()
        return tuple(dict.fromkeys(str(one[4][0]) for one in found))


@lru_cache(maxsize=MAX_NAMES)
def _parsed(target: str) -> TargetUri:
    return TargetUri.parse(target)


@lru_cache(maxsize=MAX_NAMES)
def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
