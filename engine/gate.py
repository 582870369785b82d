"""The door of the engine: which INVITE becomes a call, and what everything else is told.

Order is by cost and by safety: who is it, may it now, what does it carry, where would it go. Who is not known is
refused before anything of theirs is read beyond the headers.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from santral.engine import log
from santral.engine.calls.call import Call
from santral.engine.calls.crossing import Policy, Presented, presented
from santral.engine.calls.leg import Leg, Role
from santral.engine.calls.outgoing import text_of
from santral.engine.limits import Refusal, Throttle
from santral.engine.world import Services, TrunkSide, World
from santral.routing.plan import CallFacts, DialTrunk, plan
from santral.routing.trunks import Identified, Source, identify
from santral.sip.errors import RemoteError
from santral.sip.events import Hop, IncomingInvite
from santral.sip.identity.tel import number_of
from santral.sip.message import Request
from santral.sip.session import Session

REPORTS_PER_SECOND: Final = 1.0  # log lines and events per refused source address
OVERLOAD_STATUS: Final = 503
INTERNAL_ERROR_STATUS: Final = 500
STOPPING_RETRY_S: Final = 30
MAX_FORWARDS: Final = 70  # RFC 3261 8.1.1.6, when the caller sent none


class Gate:
    """Takes INVITEs in while open; round robin turns are counted here."""

    def __init__(self, services: Services, on_call: Callable[[Call], None], on_end: Callable[[Call], None]) -> None:
        self.is_open = True
        self.counters: Counter[str] = Counter()
        self._services = services
        self._on_call = on_call
        self._on_end = on_end
        self._throttle = Throttle(REPORTS_PER_SECOND)
        self._turns: Counter[str] = Counter()
        self._log = log.get("gate")

    def take(self, invite: IncomingInvite, world: World) -> None:
        """Make a call of this INVITE, or refuse it."""
        session, request, source = invite.session, invite.request, invite.source
        found = identify(world.table.entrances, _source_of(invite))
        if not isinstance(found, Identified):
            self.report("unknown_source", source, found.reason)
            self._services.signalling.perform(session.turn_away(403, self._services.signalling.now()))
            return
        if not self.is_open:
            self._refuse(session, OVERLOAD_STATUS, STOPPING_RETRY_S)
            return
        side = world.trunks[found.trunk]
        party = world.party(found.trunk, source.interface).facing(source.host)
        try:
            who, facts = _facts(request, party.policy, side)
        except RemoteError as problem:
            self._turn_down(invite, problem)
            return
        call = Call(self._services, world, facts, self._on_end)
        leg = Leg(Role.CALLER, party, self._services.signalling, call.hear)
        refusal = self._services.limits.admit(call.id, leg.id, found.trunk, self._services.signalling.now())
        if refusal is not None:
            self._refuse_for(refusal, session, side.full_status)
            return
        try:
            leg.read(request)
            decided = plan(world.table, facts, secrets.randbits(53) / (1 << 53), self._turns)
        except Exception as problem:
            self._services.limits.release(call.id, leg.id)
            self._turn_down(invite, problem)
            return
        leg.attach(session, text_of(source))
        if (tap := self._services.signalling.tap) is not None:
            tap.adopt(session.call_id, call.id, leg.id, decided.tenant, who.hidden)
        leg.presented = who
        leg.max_forwards = MAX_FORWARDS if request.max_forwards is None else request.max_forwards
        self.counters["calls"] += 1
        self._turns.update({one.trunk for one in decided.attempts if isinstance(one, DialTrunk)})
        self._on_call(call)
        call.begin(leg, decided)

    def _turn_down(self, invite: IncomingInvite, problem: Exception) -> None:
        """What the INVITE carries cannot be served, or we have a bug: either way it gets its answer."""
        if isinstance(problem, RemoteError):
            self.report("unacceptable", invite.source, str(problem))
            self._refuse(invite.session, problem.status)
        else:
            self._log.error("an INVITE failed inside the engine", exc_info=problem)
            self._refuse(invite.session, INTERNAL_ERROR_STATUS)

    def report(self, what: str, source: Hop, detail: str) -> None:
        """Count a refusal, and tell of it at a bounded rate per source."""
        self.counters[f"refused_{what}"] += 1
        held_back = self._throttle.allow(source.host, self._services.signalling.now())
        if held_back is None:
            return
        where = text_of(source)
        self._log.warning("refused", what=what, source=where, detail=detail, held_back=held_back)
        self._services.events.emit("security.refused", what=what, source=where, held_back=held_back)

    def _refuse_for(self, refusal: Refusal, session: Session, full_status: int) -> None:
        self.counters[f"refused_{refusal.reason}"] += 1
        if refusal.reason == "trunk_channels":
            self._services.events.emit(
                "trunk.full", trunk=refusal.trunk, channels=self._services.limits.channels(refusal.trunk or "")
            )
            self._refuse(session, full_status)
        else:
            self._refuse(session, OVERLOAD_STATUS, refusal.retry_after_s)

    def _refuse(self, session: Session, status: int, retry_after_s: int | None = None) -> None:
        headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
        signalling = self._services.signalling
        signalling.perform(session.reject(status, signalling.now(), headers=headers))


def _facts(request: Request, policy: Policy, side: TrunkSide) -> tuple[Presented, CallFacts]:
    """Who calls and what a plan is made from. A hidden caller stays hidden from it. Raises LoopDetected."""
    caller, called = number_of(request.from_.uri), number_of(request.uri)
    values = {"caller": caller, "called": called, "caller_name": request.from_.display, "call": ""}
    who = presented(request, policy, {**values, "tenant": side.tenant, "trunk": side.name})
    wrote = ("" if who.is_hidden or who.is_asserted else caller, called)
    return who, CallFacts(side.name, side.tenant, who.number, policy.numbering.read(called), datetime.now(UTC), wrote)


def _source_of(invite: IncomingInvite) -> Source:
    source, uri = invite.source, invite.request.uri
    return Source(
        ip=source.host,
        port=source.port,
        transport=source.transport,
        interface=source.interface,
        domain=uri.host.lower(),
        called=uri.number,
        trunk_group=(uri.param("tgrp") or "").lower(),
        names=source.verified,
    )
