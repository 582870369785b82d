"""The registrar at work: REGISTER answered, contacts remembered in the database, NATs kept open, the dead forgotten.

Who may register is the gate's to say. Bindings of UDP survive a restart; those of a connection die with it.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from santral.engine import log, utc
from santral.engine.calls.dialer import Contact
from santral.engine.calls.outgoing import text_of
from santral.engine.cdr.bindings import BindingGone, BindingRow
from santral.engine.cdr.store import CdrStore
from santral.engine.events import EventLog
from santral.engine.signalling import Signalling
from santral.engine.world import World
from santral.sip.errors import RemoteError
from santral.sip.events import Hop
from santral.sip.message import Request, Response, make_response
from santral.sip.registration.registrar import Binding, Registrar
from santral.sip.uri import NameAddr, Uri

SWEEP_S: Final = 1.0  # how often expiry and pings are looked after
PING_S: Final = 25.0  # shorter than the mappings of any NAT worth the name
PING_SPREAD: Final = 0.2  # of it, at random: the pings of a thousand phones must not come at once


class Registrations:
    """All contacts of all users of this node."""

    def __init__(self, loop: asyncio.AbstractEventLoop, node: str, events: EventLog, cdrs: CdrStore) -> None:
        self._loop = loop
        self._node = node
        self._events = events
        self._cdrs = cdrs
        self._registrar = Registrar()
        self._pings: dict[tuple[str, str], float] = {}  # address of record and key -> when the next ping is due
        self._timer: asyncio.TimerHandle | None = None
        self._signalling: Signalling | None = None
        self._world: World | None = None
        self.on_change: Callable[[str], None] = _nobody_asks  # told the address of record
        self._random = random.Random()  # noqa: S311 - spreads pings, guards nothing
        self._log = log.get("registration")

    async def start(self, signalling: Signalling, world: World) -> None:
        """Take up what an earlier run knew of phones on UDP, and begin to look after it."""
        self._signalling, self._world = signalling, world
        signalling.flow_closed.append(self.flow_closed)
        now, wall = self._loop.time(), utc.now_ms()
        for row in await self._cdrs.bindings():
            if row.transport != "udp" or row.aor not in world.users:
                self._cdrs.bound(BindingGone(row.node, row.aor, row.key))
                continue
            binding = _binding(row, now + (row.expires - wall) / 1000)
            self._registrar.restore([(row.aor, binding)])
            self._note(row.aor, binding)
        self._timer = self._loop.call_later(SWEEP_S, self._sweep)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def reconfigure(self, world: World) -> None:
        """Users that are no longer there have no contacts either."""
        self._world = world
        gone = {aor for aor, _ in self._registrar.items()} - world.users.keys()
        self._forget(self._registrar.drop(gone), "user removed")

    def knows(self, host: str) -> bool:
        """Whether a phone is registered from this address."""
        return host in self._registrar.hosts

    def contacts(self, aor: str) -> tuple[Contact, ...]:
        """Where a user's phones are now, the highest q first."""
        return tuple(
            Contact(one.contact, one.source, one.path, one.q, one.is_block)
            for one in self._registrar.bindings(aor, self._loop.time())
        )

    def take(self, aor: str, request: Request, source: Hop) -> Response:
        """Do what the REGISTER of this user asks; returns the answer."""
        now = self._loop.time()
        try:
            outcome = self._registrar.register(aor, request, source, now)
        except RemoteError as refusal:
            return make_response(request, refusal.status)
        for binding in outcome.kept:
            self._forget_pings(aor, binding)
            self._note(aor, binding)
            self._cdrs.bound(_row(self._node, aor, binding, now))
        for binding in outcome.added:
            who, left = self._about(aor, binding), binding.left(now)
            self._events.emit("user.registered", **who, expires_s=left)
            self.on_change(aor)
            self._log.info("registered", user=aor, source=who["source"], expires_s=left)
        self._forget([(aor, one) for one in outcome.removed], "unregistered")
        response = make_response(request, outcome.status)
        for name, value in outcome.headers:
            response.headers.add(name, value)
        return response

    def flow_closed(self, hop: Hop) -> None:
        """A connection is gone, and what was registered by it."""
        self._forget(self._registrar.drop_flow(hop), "connection closed")

    def shown(self, aor: str) -> list[dict[str, Any]]:
        """A user's contacts, for control clients."""
        now = self._loop.time()
        return [
            {
                "contact": one.contact,
                "source": text_of(one.source),
                "expires_s": one.left(now),
                "q": one.q / 1000,
                "user_agent": one.user_agent,
            }
            for one in self._registrar.bindings(aor, now)
        ]

    def count(self) -> int:
        """How many contacts there are."""
        return len(self._registrar)

    # ---- looking after ----

    def _sweep(self) -> None:
        self._timer = self._loop.call_later(SWEEP_S, self._sweep)
        now = self._loop.time()
        self._forget(self._registrar.drop_expired(now), "expired")
        for aor, binding in tuple(self._due(now)):
            self._pings[aor, binding.key] = now + self._pause()
            self._ping(binding)

    def _due(self, now: float) -> Iterator[tuple[str, Binding]]:
        due = {key for key, at in self._pings.items() if at <= now}
        if due:
            yield from ((aor, one) for aor, one in self._registrar.items() if (aor, one.key) in due)

    def _pause(self) -> float:
        return PING_S * (1 - PING_SPREAD * self._random.random())

    def _ping(self, binding: Binding) -> None:
        """OPTIONS, so that the phone's answer opens its NAT from within; whatever it answers will do."""
        if self._signalling is None:
            return
        uri = Uri.parse(binding.contact)
        address = NameAddr("", Uri(host=uri.host))
        _, actions = self._signalling.agent.request(
            method="OPTIONS",
            hop=binding.source,
            uri=uri,
            from_=address,
            to=address,
            routes=binding.path,
            now=self._loop.time(),
        )
        self._signalling.perform(actions)

    def _note(self, aor: str, binding: Binding) -> None:
        user = self._world.users.get(aor) if self._world is not None else None
        if user is not None and user.side.party.nat and binding.source.transport == "udp":
            self._pings[aor, binding.key] = self._loop.time() + self._pause()

    def _forget_pings(self, aor: str, binding: Binding) -> None:
        self._pings.pop((aor, binding.key), None)

    def _forget(self, gone: list[tuple[str, Binding]], reason: str) -> None:
        for aor, binding in gone:
            self._forget_pings(aor, binding)
            self._cdrs.bound(BindingGone(self._node, aor, binding.key))
            who = self._about(aor, binding)
            self._events.emit("user.unregistered", **who, reason=reason)
            self.on_change(aor)
            self._log.info("unregistered", user=aor, source=who["source"], reason=reason)

    def _about(self, aor: str, binding: Binding) -> dict[str, Any]:
        """What events say of a contact."""
        user = self._world.users.get(aor) if self._world is not None else None
        tenant = user.tenant if user is not None else None
        return {"tenant": tenant, "user": aor, "contact": binding.contact, "source": text_of(binding.source)}


def _nobody_asks(_aor: str) -> None:
    """Until queues are there."""


def _row(node: str, aor: str, binding: Binding, now: float) -> BindingRow:
    source = binding.source
    return BindingRow(
        node=node,
        aor=aor,
        key=binding.key,
        contact=binding.contact,
        transport=source.transport,
        host=source.host,
        port=source.port,
        interface=source.interface,
        expires=utc.now_ms() + round((binding.expires_at - now) * 1000),
        call_id=binding.call_id,
        cseq=binding.cseq,
        q=binding.q,
        instance=binding.instance,
        path=binding.path,
        is_block=binding.is_block,
        user_agent=binding.user_agent,
    )


def _binding(row: BindingRow, expires_at: float) -> Binding:
    return Binding(
        contact=row.contact,
        source=Hop(row.transport, row.host, row.port, row.interface),
        expires_at=expires_at,
        call_id=row.call_id,
        cseq=row.cseq,
        q=row.q,
        instance=row.instance,
        path=row.path,
        is_block=row.is_block,
        user_agent=row.user_agent,
    )
