"""What happened: the lines of the event log, which are the distributor's only output.

Each is a tuple of plain values; `EVENTS` gives its name. Some ask the engine to do something, as their first lines say.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias


class Why(NamedTuple):
    """Why this agent and this person were brought together; words only when somebody reads them."""

    strategy: str
    waited: float  # seconds the person has waited
    ahead: int  # people of better rank in the queue, who wait for other agents
    priority: int  # points
    idle: float  # seconds the agent was idle
    tier: int
    score: int  # skill_score only
    widened: int  # how many of the person's demands were dropped by then
    chosen_by: str  # "arrival": the person came and the agent was free; "release": the agent came free

    def words(self) -> tuple[str, ...]:
        """The reasons, as an operator reads them."""
        found = [f"waited {self.waited:.1f} s with {self.priority} points, {self.ahead} ahead wait for others"]
        if self.chosen_by == "release":
            found.append("agent became free: first of the people this agent may take")
        else:
            found.append(f"agent was free for {self.idle:.1f} s: first by {self.strategy} in tier {self.tier}")
        if self.score:
            found.append(f"skill score {self.score}")
        if self.widened:
            found.append(f"{self.widened} demands dropped after waiting")
        return tuple(found)


class Joined(NamedTuple):
    """Somebody waits: start the music."""

    at: float
    queue: str
    work: str
    kind: str
    tenant: str
    priority: int
    started: float  # when the waiting began; earlier than `at` after a transfer
    position: int  # 1 is next
    expected_wait: float | None  # seconds, `None` if nobody can tell


class TurnedAway(NamedTuple):
    """Somebody may not join: route to `to`. Never was in the queue, so not counted as offered."""

    at: float
    queue: str
    work: str
    kind: str
    tenant: str
    reason: str  # closed, full, no_agents, overflow, already_there
    to: str | None


class Announced(NamedTuple):
    """An announcement is due."""

    at: float
    queue: str
    work: str
    position: int
    expected_wait: float | None
    number: int  # how many there were, this one too


class CallbackOffered(NamedTuple):
    """Offer to call back."""

    at: float
    queue: str
    work: str


class CallbackRefused(NamedTuple):
    """No callback for this one, who keeps waiting."""

    at: float
    queue: str
    work: str
    number: str
    reason: str


class Widened(NamedTuple):
    """Somebody has waited long enough to ask for less."""

    at: float
    queue: str
    work: str
    why: str


class Overflowed(NamedTuple):
    """Somebody leaves the queue for another destination: route to `to`."""

    at: float
    queue: str
    work: str
    kind: str
    tenant: str
    to: str | None
    why: str
    waited: float
    joined: float


class Left(NamedTuple):
    """Somebody left the queue. `closed`: route to the queue's `turned_away_to`."""

    at: float
    queue: str
    work: str
    kind: str
    tenant: str
    reason: str  # answered, abandoned, key, request, callback, closed, lost, unreached
    waited: float
    joined: float  # the moment counted as the offer
    agent: str | None  # who answered
    is_connecting: bool  # gave up between an agent's answer and the connection


class Created(NamedTuple):
    """An agent is reserved: dial, the customer first if `order` says so."""

    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str
    expires: float
    order: str
    why: Why


class Ringing(NamedTuple):
    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str


class Accepted(NamedTuple):
    """The agent has answered: connect, then say `connected`."""

    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str
    after: float  # seconds since it was created


class Refused(NamedTuple):
    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str
    cause: str
    after: float


class TimedOut(NamedTuple):
    """Nobody answered in time: CANCEL."""

    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str
    after: float


class Rescinded(NamedTuple):
    """Taken back, at no fault of the agent: CANCEL, or BYE if it was accepted."""

    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str
    reason: str  # answered_elsewhere, caller_gone, agent_gone, overflowed, failed, unanswered, closed, removed
    after: float


class Connected(NamedTuple):
    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str
    waited: float


class Wrapping(NamedTuple):
    """The agent has left the call."""

    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str
    talk: float  # seconds, hold not counted
    hold: float


class Completed(NamedTuple):
    """The agent is done with it."""

    at: float
    reservation: str
    queue: str
    work: str
    kind: str
    agent: str
    tenant: str
    wrap: float


class AgentChanged(NamedTuple):
    at: float
    agent: str
    tenant: str
    state: str
    before: str
    for_s: float  # seconds spent in `before`
    reason: str
    queue: str | None  # of what the agent is busy with
    work: str | None


Event: TypeAlias = (
    Joined
    | TurnedAway
    | Announced
    | CallbackOffered
    | CallbackRefused
    | Widened
    | Overflowed
    | Left
    | Created
    | Ringing
    | Accepted
    | Refused
    | TimedOut
    | Rescinded
    | Connected
    | Wrapping
    | Completed
    | AgentChanged
)

EVENTS: Final[dict[type[Event], str]] = {
    Joined: "queue.joined",
    TurnedAway: "queue.refused",
    Announced: "queue.announced",
    CallbackOffered: "queue.callback_offered",
    CallbackRefused: "queue.callback_refused",
    Widened: "queue.widened",
    Overflowed: "queue.overflowed",
    Left: "queue.left",
    Created: "reservation.created",
    Ringing: "reservation.ringing",
    Accepted: "reservation.accepted",
    Refused: "reservation.refused",
    TimedOut: "reservation.timed_out",
    Rescinded: "reservation.rescinded",
    Connected: "reservation.connected",
    Wrapping: "reservation.wrapping",
    Completed: "reservation.completed",
    AgentChanged: "agent.changed",
}
_CLASSES: Final[dict[str, Any]] = {name: shape for shape, name in EVENTS.items()}


def name_of(event: Event) -> str:
    """Its type in the log: `reservation.created`."""
    return EVENTS[type(event)]


def fields_of(event: Event) -> dict[str, Any]:
    """Its fields but `at`, as plain values: what a log line holds beside its type and time."""
    found = {key: _plain(value) for key, value in event._asdict().items()}
    del found["at"]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Why):
        return {key: _plain(part) for key, part in value._asdict().items()}
    return str(value) if isinstance(value, str) else value


def parse(name: str, at: float, fields: Mapping[str, Any]) -> Event:
    """The event of a log line. KeyError for a name that is none of ours, TypeError for fields that do not fit."""
    values = dict(fields)
    if name == "reservation.created":
        values["why"] = Why(**values["why"])
    event: Event = _CLASSES[name](at=at, **values)
    return event
