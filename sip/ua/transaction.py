"""The four transaction machines as tables (RFC 3261 section 17, RFC 6026, RFC 4320); `runner.py` does what they say.

A missing row means: ignore. Nothing here sends, parses or knows the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from santral.sip.events import Hop
    from santral.sip.message import Request
    from santral.sip.session.base import Usage
    from santral.sip.ua.challenge import Attempt

__all__ = [
    "INVITE_CLIENT",
    "INVITE_SERVER",
    "OTHER_CLIENT",
    "OTHER_SERVER",
    "Do",
    "Input",
    "State",
    "Table",
    "Transaction",
]


class State(StrEnum):
    """RFC 3261 figures 5 to 8 and RFC 6026 figures 1 and 2; START is the moment before the first row."""

    START = "start"
    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class Input(StrEnum):
    """What can happen to a transaction."""

    REQUEST = "request"  # client: ours, to be sent; server: received, for the first time or again
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    FINAL = "200-699"  # of a request other than INVITE
    ACK = "ack"
    UNREACHABLE = "transport error"
    ABANDON = "abandon"  # cancelled (RFC 3261 9.1), or its session is over: do not wait for ever
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    TIMER_TRYING = "timer 100"  # RFC 4320 4.1
    TIMER_ABANDON = "timer abandon"


class Do(StrEnum):
    """What a transaction does on its way to the next state. Each transaction has one retry and one expiry timer."""

    SEND = "send"  # the message at hand, and keep its bytes
    RESEND = "resend"  # the bytes of the last message
    TRYING = "send 100"
    ACK = "send ACK"  # to a failure: part of the transaction; it takes the place of the INVITE
    DELIVER = "deliver"  # the response at hand to the owner
    DELIVER_ACK = "deliver ACK"
    REPORT_TIMEOUT = "report timeout"
    REPORT_UNREACHABLE = "report unreachable"
    FALL_BACK = "fall back"  # the connection is gone: answer where Via says (RFC 3261 18.2.2)
    STOP = "stop timers"
    DROP = "drop message"  # the request and its bytes: nobody needs them again
    RELEASE = "release owner"  # and the request: nobody will send it again
    ARM_A = "arm A"
    ARM_B = "arm B"
    ARM_D = "arm D"
    ARM_E = "arm E"
    ARM_E_SLOW = "arm E with T2"
    ARM_F = "arm F"
    ARM_G = "arm G"
    ARM_H = "arm H"
    ARM_I = "arm I"
    ARM_J = "arm J"
    ARM_SILENCE = "arm silence"  # RFC 4320 4.2: after 64*T1 any answer would be too late
    ARM_K = "arm K"
    ARM_L = "arm L"
    ARM_M = "arm M"
    ARM_TRYING = "arm 100"
    ARM_ABANDON = "arm abandon"


Table = Mapping[tuple[State, Input], tuple[State, tuple[Do, ...]]]

_START, _CALLING, _TRYING, _PROCEEDING = State.START, State.CALLING, State.TRYING, State.PROCEEDING
_COMPLETED, _CONFIRMED, _ACCEPTED, _TERMINATED = State.COMPLETED, State.CONFIRMED, State.ACCEPTED, State.TERMINATED

# fmt: off
INVITE_CLIENT: Final[Table] = {  # RFC 3261 17.1.1 + RFC 6026 7.2
    (_START, Input.REQUEST):            (_CALLING,    (Do.SEND, Do.ARM_A, Do.ARM_B)),
    (_CALLING, Input.TIMER_A):          (_CALLING,    (Do.RESEND, Do.ARM_A)),
    (_CALLING, Input.TIMER_B):          (_TERMINATED, (Do.REPORT_TIMEOUT,)),
    (_CALLING, Input.UNREACHABLE):      (_TERMINATED, (Do.REPORT_UNREACHABLE,)),
    (_CALLING, Input.PROVISIONAL):      (_PROCEEDING, (Do.STOP, Do.DELIVER)),
    (_CALLING, Input.SUCCESS):          (_ACCEPTED,   (Do.STOP, Do.DROP, Do.ARM_M, Do.DELIVER, Do.RELEASE)),
    (_CALLING, Input.ABANDON):          (_PROCEEDING, (Do.STOP, Do.ARM_ABANDON)),
    (_CALLING, Input.FAILURE):          (_COMPLETED,  (Do.STOP, Do.ACK, Do.ARM_D, Do.DELIVER, Do.RELEASE)),
    (_PROCEEDING, Input.PROVISIONAL):   (_PROCEEDING, (Do.DELIVER,)),
    (_PROCEEDING, Input.SUCCESS):       (_ACCEPTED,   (Do.STOP, Do.DROP, Do.ARM_M, Do.DELIVER, Do.RELEASE)),
    (_PROCEEDING, Input.FAILURE):       (_COMPLETED,  (Do.STOP, Do.ACK, Do.ARM_D, Do.DELIVER, Do.RELEASE)),
    (_PROCEEDING, Input.ABANDON):       (_PROCEEDING, (Do.ARM_ABANDON,)),
    (_PROCEEDING, Input.TIMER_ABANDON): (_TERMINATED, (Do.REPORT_TIMEOUT,)),
    (_COMPLETED, Input.FAILURE):        (_COMPLETED,  (Do.RESEND,)),
    (_COMPLETED, Input.TIMER_D):        (_TERMINATED, ()),
    (_ACCEPTED, Input.SUCCESS):         (_ACCEPTED,   (Do.DELIVER,)),
    (_ACCEPTED, Input.TIMER_M):         (_TERMINATED, ()),
}

INVITE_SERVER: Final[Table] = {  # RFC 3261 17.2.1 + RFC 6026 7.1; the session itself repeats a 2xx, through SUCCESS
    (_START, Input.REQUEST):            (_PROCEEDING, (Do.TRYING,)),
    (_PROCEEDING, Input.REQUEST):       (_PROCEEDING, (Do.RESEND,)),
    (_PROCEEDING, Input.PROVISIONAL):   (_PROCEEDING, (Do.SEND,)),
    (_PROCEEDING, Input.SUCCESS):       (_ACCEPTED,   (Do.SEND, Do.DROP, Do.RELEASE, Do.ARM_L)),
    (_PROCEEDING, Input.FAILURE):       (_COMPLETED,  (Do.DROP, Do.SEND, Do.RELEASE, Do.ARM_G, Do.ARM_H)),
    (_PROCEEDING, Input.UNREACHABLE):   (_PROCEEDING, (Do.FALL_BACK,)),
    (_ACCEPTED, Input.SUCCESS):         (_ACCEPTED,   (Do.SEND, Do.DROP)),
    (_ACCEPTED, Input.ACK):             (_ACCEPTED,   (Do.DELIVER_ACK,)),
    (_ACCEPTED, Input.UNREACHABLE):     (_ACCEPTED,   (Do.FALL_BACK,)),
    (_ACCEPTED, Input.TIMER_L):         (_TERMINATED, ()),
    (_COMPLETED, Input.REQUEST):        (_COMPLETED,  (Do.RESEND,)),
    (_COMPLETED, Input.TIMER_G):        (_COMPLETED,  (Do.RESEND, Do.ARM_G)),
    (_COMPLETED, Input.TIMER_H):        (_TERMINATED, ()),
    (_COMPLETED, Input.UNREACHABLE):    (_COMPLETED,  (Do.FALL_BACK,)),
    (_COMPLETED, Input.ACK):            (_CONFIRMED,  (Do.STOP, Do.DROP, Do.ARM_I)),
    (_CONFIRMED, Input.TIMER_I):        (_TERMINATED, ()),
}

OTHER_CLIENT: Final[Table] = {  # RFC 3261 17.1.2
    (_START, Input.REQUEST):            (_TRYING,     (Do.SEND, Do.ARM_E, Do.ARM_F)),
    (_TRYING, Input.TIMER_E):           (_TRYING,     (Do.RESEND, Do.ARM_E)),
    (_TRYING, Input.TIMER_F):           (_TERMINATED, (Do.REPORT_TIMEOUT,)),
    (_TRYING, Input.UNREACHABLE):       (_TERMINATED, (Do.REPORT_UNREACHABLE,)),
    (_TRYING, Input.PROVISIONAL):       (_PROCEEDING, ()),
    (_TRYING, Input.FINAL):             (_COMPLETED,  (Do.STOP, Do.ARM_K, Do.DELIVER, Do.DROP, Do.RELEASE)),
    (_PROCEEDING, Input.TIMER_E):       (_PROCEEDING, (Do.RESEND, Do.ARM_E_SLOW)),
    (_PROCEEDING, Input.TIMER_F):       (_TERMINATED, (Do.REPORT_TIMEOUT,)),
    (_PROCEEDING, Input.UNREACHABLE):   (_TERMINATED, (Do.REPORT_UNREACHABLE,)),
    (_PROCEEDING, Input.FINAL):         (_COMPLETED,  (Do.STOP, Do.ARM_K, Do.DELIVER, Do.DROP, Do.RELEASE)),
    (_COMPLETED, Input.TIMER_K):        (_TERMINATED, ()),
}

OTHER_SERVER: Final[Table] = {  # RFC 3261 17.2.2 + RFC 4320: 100 after 3.5 s at the earliest, never a late answer
    (_START, Input.REQUEST):            (_TRYING,     (Do.ARM_TRYING, Do.ARM_SILENCE)),
    (_TRYING, Input.TIMER_TRYING):      (_PROCEEDING, (Do.TRYING,)),
    (_TRYING, Input.TIMER_J):           (_TERMINATED, ()),
    (_TRYING, Input.UNREACHABLE):       (_TRYING,     (Do.FALL_BACK,)),
    (_TRYING, Input.FINAL):             (_COMPLETED,  (Do.STOP, Do.DROP, Do.SEND, Do.RELEASE, Do.ARM_J)),
    (_PROCEEDING, Input.REQUEST):       (_PROCEEDING, (Do.RESEND,)),
    (_PROCEEDING, Input.TIMER_J):       (_TERMINATED, ()),
    (_PROCEEDING, Input.UNREACHABLE):   (_PROCEEDING, (Do.FALL_BACK,)),
    (_PROCEEDING, Input.FINAL):         (_COMPLETED,  (Do.STOP, Do.DROP, Do.SEND, Do.RELEASE, Do.ARM_J)),
    (_COMPLETED, Input.REQUEST):        (_COMPLETED,  (Do.RESEND,)),
    (_COMPLETED, Input.TIMER_J):        (_TERMINATED, ()),
}
# fmt: on


class Transaction:
    """One running machine. Once finished it holds its key, its state and the last bytes, nothing parsed and no owner.

    `owner` is the usage that hears of it (None: nobody). `tags` are the To-tags of the 2xx an INVITE client has seen,
    so that a late fork can be told from a repeated answer even when the session is gone. `origin` is the key of the
    first try of a request that was refused and sent again `resends` times: by that name its owner knows it. `attempt`
    is there when we may answer a challenge to the request.
    """

    __slots__ = (
        "attempt",
        "expiry",
        "fallback",
        "hop",
        "interval",
        "key",
        "last",
        "merge_key",
        "origin",
        "owner",
        "request",
        "resends",
        "retry",
        "state",
        "table",
        "tags",
    )

    def __init__(self, key: str, table: Table, hop: Hop, owner: Usage | None = None) -> None:
        self.key = self.origin = key
        self.resends = 0
        self.table = table
        self.state = State.START
        self.hop = hop
        self.owner: Any = owner
        self.request: Request | None = None
        self.attempt: Attempt | None = None
        self.last = b""
        self.tags: tuple[str, ...] = ()
        self.fallback: Hop | None = None
        self.merge_key = ""
        self.interval = 0.0
        self.retry = 0
        self.expiry = 0

    @property
    def is_client(self) -> bool:
        """Whether the request is ours."""
        return self.table is INVITE_CLIENT or self.table is OTHER_CLIENT

    @property
    def is_reliable(self) -> bool:
        """Whether the transport repeats lost bytes itself, so that we do not."""
        return self.hop.transport != "udp"

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to do or to absorb."""
        return self.state is State.TERMINATED
