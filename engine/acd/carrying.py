"""What the distributor decides, as inputs of calls: whom to ring, whom no longer, where a caller goes on to."""

from typing import TYPE_CHECKING, Final

from santral.engine.acd.phones import AUTO_ANSWER, ON_DEMAND, PERSISTENT, headers_for, way_to
from santral.engine.acd.settings import message_in
from santral.engine.calls.actions.connecting import ELSEWHERE
from santral.engine.calls.actions.queueing import Offer, Withdrawal
from santral.engine.calls.dialer import AnswerHere, Dialer, Failure, Fault, Wait
from santral.engine.calls.table import Input
from santral.routing.acd import events
from santral.routing.acd.settings import CALL, CALLBACK
from santral.routing.acd.tables import Cause
from santral.routing.plan import Enqueue, TakeMessage

if TYPE_CHECKING:
    from santral.engine.acd.queues import Held, Queues
    from santral.engine.acd.settings import AgentManner
    from santral.engine.calls.call import Call

NOT_NOW: Final = Failure(Fault.REFUSED, 480)
MOST_SPOKEN: Final = 20  # places and minutes there are files for


def carry_out(queues: "Queues", event: events.Event) -> None:
    """Do what this event asks; most ask for nothing."""
    match event:
        case events.Announced():
            _announce(queues, event)
        case events.CallbackOffered():
            if (call := queues.calls.get(event.work)) is not None:
                queues.callbacks.offer(call)
        case events.Overflowed():
            _go_on(queues, event.work, event.to)
        case events.Left(reason="closed"):
            _go_on(queues, event.work, queues.turned_away_to(event.queue))
        case events.Left(kind="callback"):
            queues.callbacks.ended(event.work)
        case events.Created():
            held = queues.hold(event)
            queues.owner.engage(event, lambda: _offer(queues, held, event))
        case events.TimedOut() | events.Refused():
            queues.owner.disengage(event.agent, event.reservation)
            withdraw(queues, event.reservation, ())
        case events.Rescinded():
            queues.owner.disengage(event.agent, event.reservation)
            withdraw(queues, event.reservation, ELSEWHERE if event.reason == "answered_elsewhere" else ())
        case events.Completed():
            queues.owner.disengage(event.agent, event.reservation)
            queues.held.pop(event.reservation, None)


def _go_on(queues: "Queues", work: str, to: str | None) -> None:
    call = queues.calls.get(work)
    if call is None:
        return
    if to is None:
        call.post(Input.ATTEMPT_FAILED, NOT_NOW)
    elif (message := message_in(to)) is not None:
        call.post(Input.ANSWER_HERE, AnswerHere(TakeMessage(message)))
    else:
        call.post(Input.WAIT, Wait(Enqueue(to)))


# ---- reservations ----


def _offer(queues: "Queues", held: "Held", event: events.Created) -> None:
    if queues.held.get(held.id) is not held:
        return  # taken back before the store has answered
    held.is_engaged = True
    agent = queues.acd.agents.get(event.agent)
    if event.kind == CALLBACK:
        queues.callbacks.begin(held, event)
    elif event.kind == CALL:
        _offer_call(queues, held, agent, event)
    if held.is_wanted:  # other work is shown to the agent by whoever follows the events
        queues.accept_for(held.id)


def _offer_call(queues: "Queues", held: "Held", agent: "AgentManner | None", event: events.Created) -> None:
    call = queues.calls.get(event.work)
    if call is None or agent is None or call.waiting is None:
        queues.refuse(held.id, Cause.UNREACHABLE)
        return
    held.call = call
    try:
        offer = _made(queues, call, agent, event)
    except KeyError:
        queues.refuse(held.id, Cause.UNREACHABLE)
        return
    call.post(Input.OFFER, offer)
    if agent.auto_accept and agent.connection != ON_DEMAND:
        queues.accept_for(held.id)


def _made(queues: "Queues", call: "Call", agent: "AgentManner", event: events.Created) -> Offer:
    """Raises KeyError when its phone is configured no more."""
    waiting = call.waiting
    whisper = () if waiting is None else waiting.queue.whisper
    if agent.connection == PERSISTENT:
        return Offer(event.reservation, agent.name, None, whisper=whisper, standing=queues.standing[agent.name])
    way = way_to(call.world, agent, event.expires - queues.now)
    return Offer(
        reservation=event.reservation,
        agent=agent.name,
        dialer=Dialer((way,), call.services.registrations.contacts),
        lines=headers_for(call.world, agent),
        confirm=agent.confirm,
        prompt=agent.prompt,
        whisper=whisper,
        is_silent=agent.connection == AUTO_ANSWER,
    )


def withdraw(queues: "Queues", reservation: str, reasons: tuple[str, ...]) -> None:
    held = queues.held.get(reservation)
    if held is None:
        return
    queues.forget(reservation)
    if held.kind == CALLBACK:
        queues.callbacks.withdrawn(held)
    elif held.call is not None:
        held.call.post(Input.WITHDRAW, Withdrawal(held.agent, reasons))


# ---- announcements ----


def _announce(queues: "Queues", event: events.Announced) -> None:
    call = queues.calls.get(event.work)
    if call is None or call.waiting is None or (told := call.waiting.queue.announcing) is None:
        return
    sounds = []
    if told.position:
        sounds += [queues.sound(call, "queue-position.wav"), queues.sound(call, _number(event.position))]
    if told.wait and event.expected_wait is not None:
        minutes = -(-int(event.expected_wait) // 60)
        sounds += [queues.sound(call, "queue-wait.wav"), queues.sound(call, _number(max(1, minutes)))]
    if told.files:
        sounds.append(told.files[(event.number - 1) % len(told.files)])
    if sounds:
        call.waiting.audio.say(*sounds)


def _number(value: int) -> str:
    return f"number-{value}.wav" if value <= MOST_SPOKEN else "number-many.wav"
