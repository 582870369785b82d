"""The door of the engine: which INVITE becomes a call, and what everything else is told.

Order is by cost and by safety: who is it, may it now, what does it carry, where would it go. Who is not known is
refused before anything of theirs is read beyond the headers.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from santral.engine import log
from santral.engine.calls import dialogs
from santral.engine.calls.actions.originating import Originating
from santral.engine.calls.actions.replacing import Replacing
from santral.engine.calls.call import Call
from santral.engine.calls.commanding import NOBODY, Unable, check
from santral.engine.calls.crossing import Policy, Presented, presented
from santral.engine.calls.crossing.incoming import ANONYMOUS
from santral.engine.calls.leg import Leg, Party, Role
from santral.engine.calls.onward import plan_of_tenant
from santral.engine.calls.outgoing import text_of
from santral.engine.calls.table import Input
from santral.engine.guard.guard import has_credentials
from santral.engine.limits import Refusal
from santral.engine.world import Services, TrunkSide, World
from santral.routing.plan import CallFacts, DialTrunk, Plan
from santral.routing.trunks import Identified, Source, identify
from santral.sip.auth.challenger import Proof, Verdict
from santral.sip.errors import RemoteError
from santral.sip.events import Hop, IncomingInvite, Replacement
from santral.sip.identity.tel import number_of
from santral.sip.message import Request, make_response
from santral.sip.session import Session

OVERLOAD_STATUS: Final = 503
INTERNAL_ERROR_STATUS: Final = 500
STOPPING_RETRY_S: Final = 30
CHALLENGE_STATUS: Final = 401  # we are the called side, not a proxy (RFC 3261 22.1)
BAD_REQUEST_STATUS: Final = 400
FORBIDDEN_STATUS: Final = 403
NOT_FOUND_STATUS: Final = 404
NO_SUCH_CALL: Final = 481
ADDRESSES: Final = frozenset({"sip", "sips"})  # schemes of an address of record (RFC 3261 10.3, step 5)
MISSING: Final = Verdict(Proof.MISSING)
MAX_FORWARDS: Final = 70  # RFC 3261 8.1.1.6, when the caller sent none


@dataclass(frozen=True, slots=True)
class Origin:
    """Who calls: the name of a trunk, or a user's address of record; and the number that is called, as written."""

    trunk: str = ""
    user: str = ""
    called: str = ""


class Gate:
    """Takes INVITEs in while open; round robin turns are counted here."""

    def __init__(self, services: Services, on_call: Callable[[Call], None], on_end: Callable[[Call], None]) -> None:
        self.is_open = True
        self.counters: Counter[str] = Counter()
        self._services = services
        self._on_call = on_call
        self._on_end = on_end
        self._log = log.get("gate")

    def take(self, invite: IncomingInvite, world: World) -> None:
        """Make a call of this INVITE, or refuse it."""
        session, request, source = invite.session, invite.request, invite.source
        origin = self._origin(invite, world)
        if origin is None:
            return
        if not self.is_open:
            self._refuse(session, OVERLOAD_STATUS, STOPPING_RETRY_S)
            return
        side = world.trunks[origin.trunk] if origin.trunk else world.users[origin.user].side
        party = world.party(side.name, source.interface).facing(source.host)
        try:
            who, facts = _facts(request, origin, party.policy, side)
        except RemoteError as problem:
            self._turn_down(invite, problem)
            return
        if origin.user:
            who, facts = _as_user(who, facts, world)
        if invite.replaces is not None:
            self._take_place(invite, invite.replaces, who, party, side)
            return
        call = Call(self._services, world, facts, self._on_end)
        leg = Leg(Role.CALLER, party, self._services.signalling, call.hear)
        try:
            is_for_help = world.table.is_emergency(side.tenant, facts.called)
            decided = self._services.decide(world, facts) if is_for_help else None
            refusal = self._admit(call.id, leg.id, side.name, decided)
            if refusal is not None:
                self._refuse_for(refusal, session, side.full_status)
                return
            leg.read(request)
            decided = decided or self._services.decide(world, facts)
        except Exception as problem:
            self._services.limits.release(call.id, leg.id)
            self._turn_down(invite, problem)
            return
        self._attach(leg, invite, call, who, decided.tenant)
        if origin.user:
            self._services.queues.called(leg, origin.user)
        self.counters["calls"] += 1
        self._services.take_turns(decided)
        self._on_call(call)
        call.begin(leg, decided)

    def _attach(self, leg: Leg, invite: IncomingInvite, call: Call, who: Presented, tenant: str) -> None:
        """This INVITE is the call's leg from now on."""
        session, hops = invite.session, invite.request.max_forwards
        leg.attach(session, text_of(invite.source))
        if (tap := self._services.signalling.tap) is not None:
            tap.adopt(session.call_id, call.id, leg.id, tenant, who.hidden)
        leg.presented = who
        leg.max_forwards = MAX_FORWARDS if hops is None else hops

    def _take_place(
        self, invite: IncomingInvite, replaced: Replacement, who: Presented, party: Party, side: TrunkSide
    ) -> None:
        """An INVITE that takes over a leg of a call of its tenant (RFC 3891), on a channel of its own."""
        named = dialogs.find(self._services, replaced.header)
        status = replaced.status if named is None or not named.is_far else 0
        if status or named is None or named.call.tenant != side.tenant:
            self._refuse(invite.session, status or NO_SUCH_CALL)
            return
        if party.transfer == "refuse":
            self._refuse(invite.session, FORBIDDEN_STATUS)
            return
        call, gone = named.call, named.gone
        leg = Leg(Role.CALLEE, party, self._services.signalling, call.hear, is_incoming=True)
        refusal = self._services.limits.take_channel(leg.id, side.name, self._services.signalling.now())
        if refusal is not None:
            self._refuse_for(refusal, invite.session, side.full_status)
            return
        try:
            leg.read(invite.request)
        except RemoteError as problem:
            self._services.limits.release(leg.id)
            self._turn_down(invite, problem)
            return
        self._attach(leg, invite, call, who, call.tenant)
        if side.party.user:
            self._services.queues.called(leg, side.party.user)
        call.post(Input.REPLACE, Replacing(gone, leg))
        if leg not in call.legs:
            if leg.is_open:
                leg.reject(NO_SUCH_CALL)
            self._services.limits.release(leg.id)
            self._services.queues.gone(leg)

    def originate(
        self, world: World, tenant: str, numbers: tuple[str, str], caller: str, custom: dict[str, str]
    ) -> Call:
        """Make a call by command: ring the first number, then call the second. Raises Unable.

        `caller` is the number both are shown: one of the tenant's, or "" for none.
        """
        owned = world.table.numbers.get(caller)
        if tenant not in world.config.tenants:
            raise Unable("not_found", "no such tenant")
        if caller and (owned is None or owned.tenant != tenant):
            raise Unable("forbidden", f"{caller} is no number of {tenant}")
        shown = Presented(caller, caller, caller, is_asserted=True) if caller else NOBODY
        first, second = (plan_of_tenant(self._services, world, tenant, shown.number, one) for one in numbers)
        wanted = Originating(check(first, numbers[0], dials=True), check(second, numbers[1], dials=False), shown)
        return self.make(world, tenant, wanted, numbers[1], lambda call: call.custom.update(custom))

    def make(
        self, world: World, tenant: str, wanted: Originating, called: str, prepare: Callable[[Call], None]
    ) -> Call:
        """A call that begins here, between two sides that were checked. Raises Unable."""
        if not self.is_open:
            raise Unable("unavailable", "the engine takes no new calls")
        facts = CallFacts("", tenant, wanted.shown.number, called, datetime.now(UTC), is_own=True)
        call = Call(self._services, world, facts, self._on_end)
        refusal = self._services.limits.admit_own(call.id, self._services.signalling.now())
        if refusal is not None:
            self.counters[f"refused_{refusal.reason}"] += 1
            raise Unable("unavailable", f"no room for another call: {refusal.reason}")
        prepare(call)
        self.counters["calls"] += 1
        self._services.take_turns(wanted.first)
        self._on_call(call)
        call.originate(wanted)
        return call

    def register(self, key: str, request: Request, source: Hop, world: World) -> None:
        """A REGISTER (RFC 3261 10.3): in a domain of ours, by the user whose address of record it is for."""
        signalling, guard = self._services.signalling, self._services.guard
        if request.to.uri.scheme not in ADDRESSES:
            signalling.respond(key, make_response(request, BAD_REQUEST_STATUS))
            return
        domain, now = request.to.uri.host.lower(), signalling.now()
        if domain not in world.realms:
            signalling.respond(key, make_response(request, NOT_FOUND_STATUS))
            return
        verdict = guard.verify_user(request, domain, source, now)
        if verdict.proof is not Proof.GOOD:
            self.counters["challenged"] += 1
            if verdict.proof is Proof.WRONG:
                self.report("wrong_credentials", source, f"for {domain}")
            response = make_response(request, CHALLENGE_STATUS)
            for name, value in guard.challenge(domain, source.host, now, stale=verdict.proof is Proof.STALE):
                response.headers.add(name, value)
        elif verdict.name != f"{request.to.uri.user_decoded}@{domain}":
            self.report("wrong_user", source, f"{verdict.name} registers for {str(request.to.uri)[:80]}")
            response = make_response(request, FORBIDDEN_STATUS)
        else:
            response = self._services.registrations.take(verdict.name, request, source)
        signalling.respond(key, response)

    def _origin(self, invite: IncomingInvite, world: World) -> Origin | None:
        """Who calls: a trunk by our registration with it or by its address, or a user by a proof; None: turned away."""
        request, source, guard = invite.request, invite.source, self._services.guard
        registered = self._services.trunks.by_contact(request.uri.user, source.host)
        if registered is not None:
            return Origin(trunk=registered, called=number_of(request.to.uri))
        now = self._services.signalling.now()
        realm = guard.realm_of(request, source.host)
        is_user = realm is not None and realm in world.realms
        found = identify(world.table.entrances, _source_of(invite))
        is_trunk = isinstance(found, Identified) and guard.is_claimed(request, found.trunk)
        if realm is not None and is_user and not is_trunk and has_credentials(request):
            verdict = guard.verify_user(request, realm, source, now)
            if verdict.proof is Proof.GOOD:
                return Origin(user=verdict.name, called=number_of(request.uri))
            self._challenge(invite, realm, verdict)
            return None
        if isinstance(found, Identified):
            origin = Origin(trunk=found.trunk, called=number_of(request.uri))
            if world.table.trunks[found.trunk].auth_inbound != "digest":
                return origin
            verdict = guard.verify_trunk(request, found.trunk, source, now)
            if verdict.proof is Proof.GOOD:
                return origin
            self._challenge(invite, world.realm_of_trunk(found.trunk), verdict)
        elif realm is not None and is_user:
            self._challenge(invite, realm, MISSING)
        else:
            self.report("unknown_source", source, found.reason)
            self._services.signalling.perform(invite.session.turn_away(FORBIDDEN_STATUS, now))
        return None

    def _challenge(self, invite: IncomingInvite, realm: str, verdict: Verdict) -> None:
        """401, which leaves nothing behind."""
        self.counters["challenged"] += 1
        if verdict.proof is Proof.WRONG:
            self.report("wrong_credentials", invite.source, f"for {realm}")
        signalling, is_stale = self._services.signalling, verdict.proof is Proof.STALE
        headers = self._services.guard.challenge(realm, invite.source.host, signalling.now(), stale=is_stale)
        signalling.perform(invite.session.turn_away(CHALLENGE_STATUS, signalling.now(), headers))

    def _admit(self, call: str, leg: str, side: str, help_plan: Plan | None) -> Refusal | None:
        """Calls for help that lead to emergency trunks and nowhere else have a limit of their own."""
        limits = self._services.limits
        attempts = help_plan.attempts if help_plan is not None else ()
        if attempts and all(isinstance(one, DialTrunk) and one.is_emergency for one in attempts):
            return limits.admit_emergency(call)
        return limits.admit(call, leg, side, self._services.signalling.now())

    def _turn_down(self, invite: IncomingInvite, problem: Exception) -> None:
        """What the INVITE carries cannot be served, or we have a bug: either way it gets its answer."""
        if isinstance(problem, RemoteError):
            self.report("unacceptable", invite.source, str(problem))
            self._refuse(invite.session, problem.status)
        else:
            self._log.error("an INVITE failed inside the engine", exc_info=problem)
            self._refuse(invite.session, INTERNAL_ERROR_STATUS)

    def report(self, what: str, source: Hop, detail: str) -> None:
        """Count a refusal, and tell of it at a bounded rate per source. A first challenge is no refusal."""
        if what == "challenge":
            self.counters["challenged"] += 1
            return
        self.counters[f"refused_{what}"] += 1
        self._services.guard.report(what, source, detail, self._services.signalling.now())

    def _refuse_for(self, refusal: Refusal, session: Session, full_status: int) -> None:
        self.counters[f"refused_{refusal.reason}"] += 1
        if refusal.reason == "trunk_channels":
            self._services.events.emit(
                "trunk.full", trunk=refusal.trunk, channels=self._services.limits.channels(refusal.trunk or "")
            )
            self._refuse(session, full_status)
        elif refusal.reason == "user_channels":
            self._refuse(session, full_status)
        else:
            self._refuse(session, OVERLOAD_STATUS, refusal.retry_after_s)

    def _refuse(self, session: Session, status: int, retry_after_s: int | None = None) -> None:
        headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
        signalling = self._services.signalling
        signalling.perform(session.reject(status, signalling.now(), headers=headers))


def _facts(request: Request, origin: Origin, policy: Policy, side: TrunkSide) -> tuple[Presented, CallFacts]:
    """Who calls and what a plan is made from. A hidden caller stays hidden from it. Raises LoopDetected."""
    caller, called = number_of(request.from_.uri), origin.called
    values = {"caller": caller, "called": called, "caller_name": request.from_.display, "call": ""}
    who = presented(request, policy, {**values, "tenant": side.tenant, "trunk": side.name})
    wrote = ("" if who.is_hidden or who.is_asserted else caller, called)
    dialled, at = policy.numbering.read(called), datetime.now(UTC)
    return who, CallFacts(origin.trunk, side.tenant, who.number, dialled, at, wrote, user=origin.user)


def _as_user(who: Presented, facts: CallFacts, world: World) -> tuple[Presented, CallFacts]:
    """A user is who the proof says, not who From says: From may only name a number of the user's tenant."""
    owned = world.table.numbers.get(who.shown)
    if owned is not None and owned.tenant == facts.tenant:
        return replace(who, real=who.shown, is_asserted=True), facts
    name = world.users[facts.user].name
    who = replace(who, number=ANONYMOUS if who.is_hidden else name, real=name, shown=name)
    return who, replace(facts, caller=who.number, wrote=("", facts.wrote[1]))


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
