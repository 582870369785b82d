"""Our reliable provisional responses (RFC 3262 section 3): one unacknowledged at a time, the others wait in line.

Made when the first is sent; nothing here costs a call that has none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from santral.sip.errors import Malformed
from santral.sip.session.values import RAck
from santral.sip.ua.compose import Draft
from santral.sip.ua.transaction import Input

if TYPE_CHECKING:
    from santral.sip.message import Request
    from santral.sip.session.session import Session

__all__ = ["RELIABLE", "Line", "Provisionals", "Push", "Step"]

MAX_FIRST_RSEQ: Final = 2**31 - 1  # RFC 3262 section 3: the first one is random from 1 to here
MAX_WAITING: Final = 16  # responses in line behind an unacknowledged one; more are dropped, oldest first


class Line(StrEnum):
    """Where our reliable provisional responses to one INVITE stand."""

    CLEAR = "clear"
    WAITING = "waiting"  # for the PRACK of one
    ANSWERED = "answered"  # the final response is sent; that PRACK may still come


class Push(StrEnum):
    """What can happen to them."""

    SEND = "progress()"
    GOT_PRACK = "PRACK"
    HOLD = "answer(), too early"
    FINAL = "final response"
    TIMER_REPEAT = "repeat"
    TIMER_GIVE_UP = "no PRACK"


class Step(StrEnum):
    """What is done about it."""

    SEND = "send and repeat"
    QUEUE = "put in line"
    REPEAT = "repeat"
    STOP = "stop repeating"
    EMPTY = "empty the line"
    NEXT = "send the next, or the held answer"
    LOSE = "give the INVITE up"


# fmt: off
RELIABLE: Final[Mapping[tuple[Line, Push], tuple[Line, tuple[Step, ...]]]] = {
    (Line.CLEAR, Push.SEND):             (Line.WAITING,  (Step.SEND,)),
    (Line.WAITING, Push.SEND):           (Line.WAITING,  (Step.QUEUE,)),
    (Line.WAITING, Push.HOLD):           (Line.WAITING,  (Step.EMPTY,)),
    (Line.WAITING, Push.TIMER_REPEAT):   (Line.WAITING,  (Step.REPEAT,)),
    (Line.WAITING, Push.GOT_PRACK):      (Line.CLEAR,    (Step.STOP, Step.NEXT)),
    (Line.WAITING, Push.TIMER_GIVE_UP):  (Line.CLEAR,    (Step.STOP, Step.EMPTY, Step.LOSE)),
    (Line.WAITING, Push.FINAL):          (Line.ANSWERED, (Step.STOP, Step.EMPTY)),
    (Line.ANSWERED, Push.GOT_PRACK):     (Line.CLEAR,    ()),
}
# fmt: on


class Provisionals:
    """Those of one session, which lets go of this when it is over."""

    __slots__ = ("_data", "_give_up", "_has_sdp", "_interval", "_queue", "_repeat", "_rseq", "_session", "state")

    def __init__(self, session: Session) -> None:
        self.state = Line.CLEAR
        self._session = session
        self._rseq = session.core.composer.random_below(MAX_FIRST_RSEQ)
        self._queue: deque[tuple[int, Draft]] = deque(maxlen=MAX_WAITING)
        self._data = b""
        self._has_sdp = False
        self._interval = 0.0
        self._repeat = self._give_up = 0

    @property
    def holds_answer(self) -> bool:
        """Whether a 2xx has to wait: what we described reliably is not acknowledged (RFC 3262 section 3)."""
        return self.state is Line.WAITING and self._has_sdp

    def is_about(self, request: Request) -> bool:
        """Whether this PRACK acknowledges what is unacknowledged."""
        if self.state is Line.CLEAR:
            return False
        try:
            rack = RAck.parse(request.headers.get("RAck") or "")
        except Malformed:
            return False
        return rack == (self._rseq, self._session.request.cseq)

    def send(self, status: int, draft: Draft, now: float) -> None:
        """Send a provisional response reliably, now or when its turn comes."""
        self._feed(Push.SEND, now, status, draft)

    def on_prack(self, now: float) -> None:
        """The PRACK that `is_about` found has been answered."""
        self._feed(Push.GOT_PRACK, now)

    def on_hold(self, now: float) -> None:
        """The answer waits: what stands in line is overtaken by it."""
        self._feed(Push.HOLD, now)

    def on_final(self, now: float) -> None:
        """The INVITE is answered: nothing is repeated or sent any more."""
        self._feed(Push.FINAL, now)

    def on_timer(self, cue: Push, now: float) -> None:
        """One of the two timers has come due."""
        self._feed(cue, now)

    def close(self) -> None:
        """The session is over."""
        self._stop(0.0, 0, None)
        self._queue.clear()

    # -- the machine -----------------------------------------------------------------------------------------------

    def _feed(self, push: Push, now: float, status: int = 0, draft: Draft | None = None) -> None:
        row = RELIABLE.get((self.state, push))
        if row is None:
            return
        self.state, todo = row
        for step in todo:
            _PERFORM[step](self, now, status, draft)

    def _send(self, now: float, status: int, draft: Draft) -> None:
        session = self._session
        core = session.core
        self._rseq += 1
        headers = (("Require", "100rel"), ("RSeq", f"{self._rseq}"), *draft.headers)
        self._has_sdp = bool(draft.body)
        self._data = session.reply(now, status, Draft(headers, draft.body, draft.content_type, draft.reason))
        if self._has_sdp:
            session.describe_reliably(draft.body)
        self._interval = core.timers.t1
        self._repeat = core.deadlines.arm(now + self._interval, (self, Push.TIMER_REPEAT))
        self._give_up = core.deadlines.arm(now + core.timers.timeout, (self, Push.TIMER_GIVE_UP))

    def _queue_up(self, _now: float, status: int, draft: Draft) -> None:
        self._queue.append((status, draft))

    def _repeat_it(self, now: float, _status: int, _draft: Draft | None) -> None:
        session = self._session
        core = session.core
        if session.server is not None:
            core.outbox.counters["retransmissions_sent"] += 1
            core.runner.feed(session.server, Input.PROVISIONAL, now, self._data)
        self._interval *= 2
        self._repeat = core.deadlines.arm(now + self._interval, (self, Push.TIMER_REPEAT))

    def _stop(self, _now: float, _status: int, _draft: Draft | None) -> None:
        deadlines = self._session.core.deadlines
        deadlines.cancel(self._repeat)
        deadlines.cancel(self._give_up)
        self._repeat = self._give_up = 0
        self._data = b""

    def _empty(self, _now: float, _status: int, _draft: Draft | None) -> None:
        self._queue.clear()

    def _next(self, now: float, _status: int, _draft: Draft | None) -> None:
        if self._queue:
            self._feed(Push.SEND, now, *self._queue.popleft())
        else:
            self._session.release_answer(now)

    def _lose(self, now: float, _status: int, _draft: Draft | None) -> None:
        self._session.on_no_prack(now)


_PERFORM: Final[dict[Step, Callable[[Provisionals, float, int, Any], None]]] = {
    Step.SEND: Provisionals._send,
    Step.QUEUE: Provisionals._queue_up,
    Step.REPEAT: Provisionals._repeat_it,
    Step.STOP: Provisionals._stop,
    Step.EMPTY: Provisionals._empty,
    Step.NEXT: Provisionals._next,
    Step.LOSE: Provisionals._lose,
}
