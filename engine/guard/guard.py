"""The guard before the gate: what is dropped unread, what is dropped unanswered, what must first say who it is.

Costs little where attacks are cheap: a banned address and a scanner's name are seen before anything is parsed, and
strangers leave no state. Requests inside dialogs never come here: who is talking goes first.
"""

import re
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv6Network
from typing import Any, Final

from santral.engine import log
from santral.engine.calls.outgoing import text_of
from santral.engine.events import EventLog
from santral.engine.guard.bans import Bans
from santral.engine.limits import Throttle
from santral.engine.world import World
from santral.routing.trunks import Trunk, address_of
from santral.sip.auth.challenger import Challenger, Known, Proof, Verdict, credentials_in
from santral.sip.events import Hop
from santral.sip.message import Request
from santral.sip.ua.screen import Refusal

REQUESTS_PER_S: Final = 20.0  # new requests of one address that is nobody's trunk; as many at once
STRANGER_INTERVAL_S: Final = 10.0  # a stranger is answered once in so long
REPORTS_PER_S: Final = 1.0  # log lines and events per refused source …
ALL_REPORTS_PER_S: Final = 20.0  # … and of all sources together
HEAD_OCTETS: Final = 4096  # of a message, in which a scanner's name is looked for
MAX_HOSTS: Final = 10_000  # addresses whose standing is remembered
FORBIDDEN: Final = 403
UNAUTHORIZED: Final = 401
IP: Final = "ip"


class Guard:
    """One node's. `knows` tells of addresses that no trunk has: of registered phones, of our registrars."""

    def __init__(self, world: World, events: EventLog, knows: Callable[[str], bool]) -> None:
        self.counters: Counter[str] = Counter()
        self._events = events
        self._knows = knows
        self._bans = Bans()
        self._challenger = Challenger(secrets.token_bytes, world.config.sip.digest)
        self._requests = Throttle(REQUESTS_PER_S)
        self._strangers = Throttle(1 / STRANGER_INTERVAL_S)
        self._reports = Throttle(REPORTS_PER_S)
        self._all_reports = Throttle(ALL_REPORTS_PER_S)
        self._log = log.get("guard")
        self.reconfigure(world)

    def reconfigure(self, world: World) -> None:
        """Take another configuration. Bans stay."""
        self._world = world
        self._trusted: OrderedDict[str, bool] = OrderedDict()  # address -> whether a trunk takes calls from it
        names = b"|".join(re.escape(name.lower().encode()) for name in world.config.sip.scanners)
        self._is_scanner = re.compile(rb"\nuser-agent[ \t]*:[^\r\n]*(?:" + names + rb")").search if names else None

    # ---- before parsing ----

    def admits_bytes(self, data: bytes, source: Hop, now: float) -> bool:
        """Whether a message is read at all."""
        host = source.host
        if self._bans.is_banned(customer_of(host), now):
            self.counters["dropped_banned"] += 1
            return False
        if self._is_scanner is None or self._is_trunk(host):
            return True
        if self._is_scanner(data[:HEAD_OCTETS].lower()) is None:
            return True
        self.counters["dropped_scanner"] += 1
        self.report("scanner", source, "", now)
        return False

    # ---- a request outside any dialog, before it has any state ----

    def admit(self, request: Request, source: Hop, now: float) -> Refusal | None:
        """None for those who may go on to the gate; status 0 drops without a word."""
        host = source.host
        if self._is_trunk(host) or self._is_proven(source):
            return None
        if self._requests.allow(customer_of(host), now) is None:
            return Refusal(0, "flood", "too many requests")
        realm = self.realm_of(request, host)
        if realm is not None and not has_credentials(request):
            return Refusal(UNAUTHORIZED, "challenge", "", self.challenge(realm, host, now))
        if realm is not None or self._knows(host):
            return None
        status = FORBIDDEN if self.answers(source, now) else 0
        return Refusal(status, "unknown_source", f"nobody takes calls from {host}")

    def answers(self, source: Hop, now: float) -> bool:
        """Whether a refusal goes out: to those we know always, to a stranger once in an interval."""
        host = source.host
        if self._is_trunk(host) or self._knows(host) or self._is_proven(source):
            return True
        if self._strangers.allow(customer_of(host), now) is not None:
            return True
        self.counters["unanswered"] += 1
        return False

    def report(self, what: str, source: Hop, detail: str, now: float) -> None:
        """Tell of a refusal: at a bounded rate per source, and in all, since addresses can be forged."""
        held_back = self._reports.allow(customer_of(source.host), now)
        if held_back is None:
            return
        others = self._all_reports.allow("", now)
        if others is None:
            self.counters["untold"] += 1
            return
        where = text_of(source)
        self._log.warning("refused", what=what, source=where, detail=detail, held_back=held_back + others)
        self._events.emit("security.refused", what=what, source=where, held_back=held_back + others)

    def realm_of(self, request: Request, host: str) -> str | None:
        """In which realm whoever sends this has to say who it is; None: nobody here would know."""
        address = request.to if request.method == "REGISTER" else request.from_
        domain = address.uri.host.lower()
        if domain in self._world.realms:
            return domain
        for trunk in self._trunks_at(host):
            if trunk.auth_inbound != IP:
                return self._world.realm_of_trunk(trunk.name)
        return None

    def _is_trunk(self, host: str) -> bool:
        """Whether a trunk takes calls from this address for its own sake; remembered, since every message asks."""
        known = self._trusted.get(host)
        if known is None:
            known = any(trunk.auth_inbound == IP for trunk in self._trunks_at(host))
            self._trusted[host] = known
            if len(self._trusted) > MAX_HOSTS:
                self._trusted.popitem(last=False)
        return known

    def _is_proven(self, source: Hop) -> bool:
        """Whether the connection's certificate names a trunk: any other name is a stranger's (mutual TLS)."""
        return bool(source.verified) and bool(self._world.table.entrances.named(source.verified))

    def _trunks_at(self, host: str) -> Sequence[Trunk]:
        try:
            address = address_of(host)
        except ValueError:
            return ()
        return [door.trunk for door in self._world.table.entrances.at(address)]

    # ---- who somebody is ----

    def challenge(self, realm: str, host: str, now: float, *, stale: bool = False) -> tuple[tuple[str, str], ...]:
        """The headers of a 401."""
        lines = self._challenger.challenges(realm, host, now, stale=stale)
        return tuple(("WWW-Authenticate", line) for line in lines)

    def verify_user(self, request: Request, realm: str, source: Hop, now: float) -> Verdict:
        """Which user of this domain sends the request; `name` of the verdict is the address of record."""
        names = self._world.realms.get(realm, {})

        def find(name: str, _is_hash: bool) -> Known | None:
            aor = names.get(name)
            return None if aor is None else Known(aor, self._world.users[aor].secrets)

        return self._judge(self._challenger.verify(request, realm, source.host, find, now), source, now)

    def verify_trunk(self, request: Request, trunk: str, source: Hop, now: float) -> Verdict:
        """Whether the request proves to come from this trunk."""
        side = self._world.trunks[trunk]
        realm = self._world.realm_of_trunk(trunk)

        def find(name: str, _is_hash: bool) -> Known | None:
            return Known(trunk, side.secrets) if name == side.username else None

        return self._judge(self._challenger.verify(request, realm, source.host, find, now), source, now)

    def is_claimed(self, request: Request, trunk: str) -> bool:
        """Whether the credentials in a request are for this trunk's challenges: its realm may be that of users."""
        side = self._world.trunks[trunk]
        if not side.username or self._world.table.trunks[trunk].auth_inbound != "digest":
            return False
        return any((one.username, one.realm) == (side.username, side.realm) for one in credentials_in(request))

    def _judge(self, verdict: Verdict, source: Hop, now: float) -> Verdict:
        self.counters[f"proof_{verdict.proof.name.lower()}"] += 1
        if verdict.proof is Proof.GOOD:
            self._bans.succeed(customer_of(source.host))
        elif verdict.proof is Proof.WRONG and not self._is_trunk(source.host):
            customer = customer_of(source.host)
            seconds = self._bans.fail(customer, now)
            if seconds:
                self.counters["banned"] += 1
                self._log.warning("banned", source=customer, seconds=seconds)
                self._events.emit("security.banned", source=customer, seconds=seconds)
        return verdict

    # ---- for operators ----

    def bans(self, now: float) -> list[dict[str, Any]]:
        """Who is banned, for how long yet, and for the how-manieth time."""
        banned = self._bans.banned(now)
        return [{"address": host, "seconds_left": round(left, 1), "bans": bans} for host, left, bans in banned]

    def forgive(self, host: str) -> bool:
        """Lift a ban and forget its history; tells whether there was any."""
        return self._bans.forgive(host) or self._bans.forgive(customer_of(host))


def customer_of(host: str) -> str:
    """What is counted as one: an IPv4 address, or the /64 of an IPv6 one, all of whose addresses are one customer's."""
    if ":" in host:
        with suppress(ValueError):
            return str(IPv6Network((host.partition("%")[0], 64), strict=False))
    return host


def has_credentials(request: Request) -> bool:
    """Whether somebody at least tries to prove who they are."""
    return "Authorization" in request.headers or "Proxy-Authorization" in request.headers
