"""From a target URI to the hop its requests go to. Addresses are immediate; names are looked up off the loop."""

import asyncio
import socket
from collections import OrderedDict
from typing import Final

from santral.engine.config.values import TargetUri
from santral.sip.events import Hop

DEFAULT_PORT: Final = 5060  # RFC 3261 19.1.2, udp and tcp
LOOKUP_TIMEOUT_S: Final = 3.0
KEPT_S: Final = 30.0  # an answer, good or bad, is believed so long
MAX_NAMES: Final = 1024


class Locator:
    """Remembers look-ups for `KEPT_S`, so that a dead resolver costs one time-out per name and half minute."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    def hop_now(self, target: str, interface: str) -> Hop | None:
        """The hop when the target is an address, or a name looked up lately; None when `hop` has to be awaited."""
        uri = TargetUri.parse(target)
        address = uri.host if _is_address(uri.host) else self._remembered(uri.host)
        return None if address is None else Hop(uri.transport, address, uri.port or DEFAULT_PORT, interface)

    async def hop(self, target: str, interface: str) -> Hop | None:
        """The hop, after a look-up if need be; None when the name has no address."""
        uri = TargetUri.parse(target)
        known = self._known.get(uri.host)
        if known is None or known[0] <= self._loop.time():
            self._remember(uri.host, await self._look_up(uri.host))
        address = self._known[uri.host][1]
        return None if address is None else Hop(uri.transport, address, uri.port or DEFAULT_PORT, interface)

    def _remembered(self, name: str) -> str | None:
        known = self._known.get(name)
        return known[1] if known is not None and known[0] > self._loop.time() else None

    def _remember(self, name: str, address: str | None) -> None:
        self._known[name] = (self._loop.time() + KEPT_S, address)
        self._known.move_to_end(name)
        if len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)

    async def _look_up(self, name: str) -> str | None:
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                found = await self._loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except (OSError, TimeoutError):
            return None
        return str(found[0][4][0]) if found else None


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
