"""What queues decide, as events of the node: moments as UTC text, durations in seconds to the millisecond."""

from typing import TYPE_CHECKING, Any, Final

from santral.engine import utc
from santral.routing.acd import events
from santral.routing.acd.settings import CALL

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues

MOMENTS: Final = frozenset({"started", "joined", "expires"})


def tell(queues: "Queues", event: events.Event) -> None:
    fields = shown(event, queues.counting.offset_s)
    tenant = fields.pop("tenant", None) or tenant_of(queues, fields)
    queues.events.emit(events.name_of(event), tenant=tenant, call=call_of(event), **fields)


def shown(event: events.Event, offset_s: float) -> dict[str, Any]:
    """The fields of an event; `offset_s` is UTC where the loop's clock is 0."""
    found = events.fields_of(event)
    for name, value in found.items():
        if isinstance(value, float):
            found[name] = utc.text_of(round(1000 * (offset_s + value))) if name in MOMENTS else round(value, 3)
    if isinstance(event, events.Created):
        found["why"] = list(event.why.words())
    return found


def tenant_of(queues: "Queues", fields: dict[str, Any]) -> str | None:
    queue = queues.acd.queues.get(fields.get("queue") or "")
    return None if queue is None else queue.tenant


def call_of(event: events.Event) -> str | None:
    """The call that waits or waited, as long as it stands: nothing is told of a call behind its end."""
    match event:
        case events.AgentChanged() | events.Completed():
            return None
        case events.Announced() | events.CallbackOffered() | events.CallbackRefused() | events.Widened():
            return event.work
        case _:
            return event.work if event.kind == CALL else None
