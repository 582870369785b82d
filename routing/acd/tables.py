"""The states of an agent and of a reservation, as two tables. A missing row means: ignore."""

from enum import StrEnum
from math import inf
from typing import Final

NEVER: Final = inf  # the moment of what is not going to happen


class State(StrEnum):
    """An agent is one cell for being there, and one cell for each thing in hand; both walk through AGENT."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    RESERVED = "reserved"
    RINGING = "ringing"
    TALKING = "talking"
    WRAPPING = "wrapping"
    BREAK = "break"
    NOT_ANSWERING = "not_answering"
    BUSY = "busy"  # shown only: legs outside the queue


class Cue(StrEnum):
    LOGIN = "login"
    LOGOUT = "logout"
    PAUSE = "pause"
    RESUME = "resume"
    MISSED = "missed"  # once too often
    RESERVE = "reserve"
    RING = "ring"
    ACCEPT = "accept"
    RELEASE = "release"  # refused, timed out, rescinded, failed
    FINISH = "finish"  # left the call
    COMPLETE = "complete"  # wrap-up is over


AGENT: Final[dict[tuple[State, Cue], State]] = {
    (State.OFFLINE, Cue.LOGIN): State.AVAILABLE,
    (State.AVAILABLE, Cue.LOGOUT): State.OFFLINE,
    (State.AVAILABLE, Cue.PAUSE): State.BREAK,
    (State.AVAILABLE, Cue.MISSED): State.NOT_ANSWERING,
    (State.BREAK, Cue.PAUSE): State.BREAK,  # another reason
    (State.BREAK, Cue.RESUME): State.AVAILABLE,
    (State.BREAK, Cue.LOGOUT): State.OFFLINE,
    (State.NOT_ANSWERING, Cue.RESUME): State.AVAILABLE,
    (State.NOT_ANSWERING, Cue.PAUSE): State.BREAK,
    (State.NOT_ANSWERING, Cue.LOGOUT): State.OFFLINE,
    (State.AVAILABLE, Cue.RESERVE): State.RESERVED,
    (State.RESERVED, Cue.RING): State.RINGING,
    (State.RESERVED, Cue.ACCEPT): State.TALKING,
    (State.RESERVED, Cue.RELEASE): State.AVAILABLE,
    (State.RINGING, Cue.ACCEPT): State.TALKING,
    (State.RINGING, Cue.RELEASE): State.AVAILABLE,
    (State.TALKING, Cue.RELEASE): State.AVAILABLE,  # accepted, and never connected
    (State.TALKING, Cue.FINISH): State.WRAPPING,
    (State.WRAPPING, Cue.COMPLETE): State.AVAILABLE,
}

SHOWN_FIRST: Final = (State.TALKING, State.RINGING, State.RESERVED, State.WRAPPING)  # of several things in hand


class Phase(StrEnum):
    """A reservation: one agent and one person."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    WRAPPING = "wrapping"
    COMPLETED = "completed"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    RESCINDED = "rescinded"


class Turn(StrEnum):
    ACCEPT = "accept"
    REFUSE = "refuse"
    EXPIRE = "expire"
    RESCIND = "rescind"
    CONNECT = "connect"
    FINISH = "finish"
    COMPLETE = "complete"


RESERVATION: Final[dict[tuple[Phase, Turn], Phase]] = {
    (Phase.PENDING, Turn.ACCEPT): Phase.ACCEPTED,
    (Phase.PENDING, Turn.REFUSE): Phase.REFUSED,
    (Phase.PENDING, Turn.EXPIRE): Phase.TIMED_OUT,
    (Phase.PENDING, Turn.RESCIND): Phase.RESCINDED,
    (Phase.ACCEPTED, Turn.CONNECT): Phase.CONNECTED,
    (Phase.ACCEPTED, Turn.EXPIRE): Phase.RESCINDED,  # never connected
    (Phase.ACCEPTED, Turn.RESCIND): Phase.RESCINDED,
    (Phase.CONNECTED, Turn.FINISH): Phase.WRAPPING,
    (Phase.WRAPPING, Turn.COMPLETE): Phase.COMPLETED,
    (Phase.WRAPPING, Turn.EXPIRE): Phase.COMPLETED,
}


class Standing(StrEnum):
    """Somebody who waits."""

    PARKED = "parked"  # a callback before its time
    WAITING = "waiting"
    OFFERED = "offered"  # at least one reservation is pending
    CONNECTING = "connecting"  # an agent has accepted


class Leave(StrEnum):
    """Why somebody leaves by themselves or by request."""

    HUNG_UP = "hung_up"
    KEY = "key"
    REQUEST = "request"
    LOST = "lost"  # the node that had the call is gone


class Cause(StrEnum):
    """Why an agent did not take an offer."""

    REFUSED = "refused"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    UNREACHABLE = "unreachable"


MISSES: Final = frozenset({Cause.REFUSED, Cause.NO_ANSWER})  # those that count for the automatic pause
