"""Callbacks: a caller hangs up and keeps the place; when it is its turn an agent and the customer are connected.

Screened like any number that is dialled, with the rights of the tenant (rule 35). Each attempt is a call of its own: an
agent is rung first and the customer next, or the other way round; a customer whose agent has not answered then waits in
front.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from santral.engine.acd.phones import NO_ANSWER, cause_of, headers_for, way_to
from santral.engine.acd.waiting import Waiting
from santral.engine.calls.actions.originating import Originating
from santral.engine.calls.commanding import NOBODY, Unable, check
from santral.engine.calls.crossing import Presented
from santral.engine.calls.dialer import Failure, Fault
from santral.engine.calls.onward import plan_of_tenant
from santral.engine.calls.table import Input
from santral.engine.ids import new_id
from santral.routing.acd import events
from santral.routing.acd.tables import Leave
from santral.routing.plan import Enqueue, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from santral.engine.acd.queues import Held, Queues
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg


def _not_started(*_: Any) -> "Call":
    raise Unable("unavailable", "the engine has not started")


CUSTOMER: Final = "customer"  # rung first


@dataclass(frozen=True, slots=True)
class Promise:
    """Somebody is to be called back. `call` is the call that took the offer."""

    work: str
    queue: str
    tenant: str
    number: str
    shown: str  # the number that is shown to it
    call: str
    started: float  # when its waiting began

    def as_map(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("work", "queue", "tenant", "number", "shown", "call")}


@dataclass(slots=True)
class Attempt:
    """One call to fulfil a promise."""

    promise: Promise
    reservation: str
    agent: str
    order: str
    call: "Call"
    first_there: bool = False
    is_over: bool = False  # connected, or its reservation is


class Callbacks:
    """All promises of the node. `make` begins a call of two sides; it raises `Unable`."""

    def __init__(self, queues: "Queues") -> None:
        self._queues = queues
        self.make: Callable[..., Call] = _not_started
        self.promises: Final[dict[str, Promise]] = {}  # by their work
        self._attempts: Final[dict[str, Attempt]] = {}  # by call

    def survives(self, work: str) -> bool:
        return work in self.promises

    # ---- offering and taking ----

    def offer(self, call: "Call") -> None:
        waiting = call.waiting
        if waiting is not None and (back := waiting.queue.calling_back) is not None and self._objection(call) is None:
            waiting.audio.say(*back.offer)

    def _objection(self, call: "Call") -> str | None:
        """Why this caller cannot be called back; None when it can."""
        who = call.caller.presented
        if who.is_hidden or not call.facts.caller:
            return "hidden"
        try:
            self._plan(call.tenant, self._shown(call), call.facts.caller)
        except Unable as problem:
            return problem.code
        return None

    def _shown(self, call: "Call") -> str:
        """The number the customer sees: the configured one, else the one it has called, if they are the tenant's."""
        back = None if call.waiting is None else call.waiting.queue.calling_back
        number = (None if back is None else back.caller) or call.facts.called
        row = self._queues.world.table.numbers.get(number)
        return number if row is not None and row.tenant == call.tenant else ""

    def _plan(self, tenant: str, shown: str, number: str) -> Plan:
        queues = self._queues
        return check(plan_of_tenant(queues.services, queues.world, tenant, shown, number), number, dials=True)

    def take(self, call: "Call", waiting: Waiting) -> None:
        """The caller has pressed the key: it hangs up and keeps its place, unless it cannot be called."""
        queues, back, number = self._queues, waiting.queue.calling_back, call.facts.caller
        reason = self._objection(call)
        if reason is not None or back is None:
            queues.events.emit(
                "queue.callback_refused",
                tenant=call.tenant,
                call=call.id,
                queue=waiting.queue.name,
                work=call.id,
                number=number,
                reason=reason,
            )
            return
        promise = Promise(new_id(), waiting.queue.name, call.tenant, number, self._shown(call), call.id, waiting.since)
        self.promises[promise.work] = promise
        now = queues.now
        said = queues.distributor.call_back(call.id, promise.work, number, now, expires=now + back.expires_s)
        queues.apply(said)
        if any(isinstance(one, events.Left) and one.reason == "callback" for one in said):
            waiting.by = "callback"
            call.post(Input.CALL_BACK, back.thanks)
        else:
            del self.promises[promise.work]

    def ended(self, work: str) -> None:
        """Fulfilled, or given up."""
        self.promises.pop(work, None)

    # ---- carrying out ----

    def begin(self, held: "Held", event: events.Created) -> None:
        """An agent is reserved for this promise."""
        queues, promise = self._queues, self.promises.get(held.work)
        agent = queues.acd.agents.get(held.agent)
        if promise is None or agent is None:
            queues.apply(queues.distributor.leave(held.work, Leave.LOST, queues.now))
            return
        try:
            ring_s = event.expires - queues.now
            way = way_to(queues.world, agent, ring_s)
            customer = self._plan(promise.tenant, promise.shown, promise.number)
            ours = Plan(None, promise.tenant, (way,), (f"callback {promise.work}",))
            if event.order == CUSTOMER:
                ours = Plan(None, promise.tenant, (way, Enqueue(promise.queue)), ours.why)
            first, second = (customer, ours) if event.order == CUSTOMER else (ours, customer)
            shown = promise.shown
            wanted = Originating(
                first,
                second,
                Presented(shown, shown, shown, is_asserted=True) if shown else NOBODY,
                lines=() if event.order == CUSTOMER else headers_for(queues.world, agent),
                confirm="" if event.order == CUSTOMER else agent.confirm,
                prompt=agent.prompt,
                past_refusals=event.order == CUSTOMER,
            )
            call = self.make(queues.world, promise.tenant, wanted, promise.number, self._prepared(held, event, promise))
        except (Unable, KeyError) as problem:
            queues.log.warning("cannot call back", work=promise.work, error=str(problem))
            queues.apply(queues.distributor.unanswered(held.id, queues.now))
            return
        held.call = call

    def _prepared(self, held: "Held", event: events.Created, promise: Promise) -> "Callable[[Call], None]":
        def prepare(call: "Call") -> None:
            """Before it rings anybody."""
            call.parent, call.linked = promise.call, promise.call
            call.service.queue, call.service.agent = promise.queue, held.agent
            self._attempts[call.id] = Attempt(promise, held.id, held.agent, event.order, call)

        return prepare

    def is_ours(self, call: "Call", place: str) -> bool:
        """Whether a leg of this call to that phone is the reserved agent's."""
        attempt = self._attempts.get(call.id)
        agent = None if attempt is None else self._queues.acd.agents.get(attempt.agent)
        return agent is not None and self._queues.place(agent) == place

    def first_answered(self, call: "Call") -> None:
        attempt = self._attempts.get(call.id)
        if attempt is None:
            return
        queues, attempt.first_there = self._queues, True
        if attempt.order == CUSTOMER:
            queues.apply(queues.distributor.customer_answered(attempt.reservation, queues.now))
            return
        queues.apply(queues.distributor.accept(attempt.reservation, queues.now))
        view = queues.distributor.reservation(attempt.reservation)
        if view is None or view.phase != "accepted":
            call.hang_up(None, "engine")  # taken back meanwhile

    def second_answered(self, call: "Call", callee: "Leg") -> None:
        """Both are there and hear each other."""
        attempt = self._attempts.get(call.id)
        if attempt is None or attempt.is_over:
            return
        queues, attempt.is_over = self._queues, True
        agents_leg = callee if attempt.order == CUSTOMER else call.caller
        if attempt.order == CUSTOMER:
            queues.apply(queues.distributor.accept(attempt.reservation, queues.now))
        queues.engage(agents_leg, attempt.reservation)
        call.service.waited_ms = round(1000 * (queues.now - attempt.promise.started))
        queues.apply(queues.distributor.connected(attempt.reservation, queues.now))

    def waits_after_all(self, call: "Call") -> float | None:
        """The agent has not answered a customer who is there: it waits in the queue now, since then."""
        attempt = self._attempts.get(call.id)
        if attempt is None or attempt.is_over:
            return None
        queues, attempt.is_over = self._queues, True
        queues.refuse(attempt.reservation, NO_ANSWER)
        queues.apply(queues.distributor.leave(attempt.promise.work, Leave.REQUEST, queues.now))
        return attempt.promise.started

    def withdrawn(self, held: "Held") -> None:
        """Timed out or taken back."""
        if held.call is not None and (attempt := self._attempts.get(held.call.id)) is not None:
            attempt.is_over = True
            if not attempt.first_there or attempt.order != CUSTOMER:
                held.call.hang_up(None, "engine")

    def over(self, call: "Call") -> None:
        """The call has ended: was it in vain, and by whose doing?"""
        attempt = self._attempts.pop(call.id, None)
        if attempt is None or attempt.is_over:
            return
        queues, now = self._queues, self._queues.now
        if attempt.order == CUSTOMER:
            queues.apply(queues.distributor.unanswered(attempt.reservation, now))
        elif not attempt.first_there:
            failure = call.failures[-1] if call.failures else Failure(Fault.UNREACHABLE)
            queues.refuse(attempt.reservation, cause_of(failure))
        elif call.outcome.by == "caller":  # the agent hung up before the customer answered
            queues.apply(queues.distributor.failed(attempt.reservation, now))
        else:
            queues.apply(queues.distributor.unanswered(attempt.reservation, now))
