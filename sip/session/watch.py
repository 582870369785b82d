"""The session timer (RFC 4028): who refreshes, when, and when a session nobody refreshed is over.

Made when a session has a timer. What we ask for is the owner's (`SessionTimer`); a peer that asks gets its timer in any
case. A peer that knows no timers is refreshed by us alone: then its silence is found, if not our own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from santral.sip.session.values import SessionExpires, has_option, read_number
from santral.sip.ua.compose import Draft, HeaderList

if TYPE_CHECKING:
    from santral.sip.message import Request, Response
    from santral.sip.session.session import Session

__all__ = ["WATCH", "Duty", "SessionTimer", "Stir", "Task", "Watch", "larger_interval", "request_lines", "too_brief"]

MIN_INTERVAL_S: Final = 30  # what a peer's 2xx may say at least; RFC 4028 section 4 asks for 90
MARGIN_S: Final = 32.0  # section 10: BYE this long before the end, or a third of the interval if that is less
RETRY_S: Final = 10.0  # after a refresh was refused for no reason that names a time
MAX_RETRY_AFTER_S: Final = 60


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """What we ask of a peer: an interval in seconds, and the shortest that we accept."""

    expires_s: int = 1800
    min_se_s: int = 90


class Duty(StrEnum):
    """Whose refresh keeps the session alive."""

    OFF = "off"
    OURS = "ours"
    ASKING = "ours, under way"
    THEIRS = "theirs"


class Stir(StrEnum):
    """What can happen to a session timer."""

    AGREED_OURS = "we refresh"
    AGREED_THEIRS = "they refresh"
    AGREED_NONE = "no timer"
    REFUSED = "refresh refused"
    TIMER_REFRESH = "half of the interval"
    TIMER_END = "interval over"


class Task(StrEnum):
    """What is done about it."""

    STOP = "stop timers"
    ARM_REFRESH = "arm half of the interval"
    ARM_RETRY = "arm the next try"
    ARM_END = "arm the end"
    REFRESH = "refresh"
    END = "end the session"


_AGREED_OURS: Final = (Duty.OURS, (Task.STOP, Task.ARM_REFRESH, Task.ARM_END))
_AGREED_THEIRS: Final = (Duty.THEIRS, (Task.STOP, Task.ARM_END))
_AGREED_NONE: Final = (Duty.OFF, (Task.STOP,))

# fmt: off
WATCH: Final[Mapping[tuple[Duty, Stir], tuple[Duty, tuple[Task, ...]]]] = {
    (Duty.OFF, Stir.AGREED_OURS):       _AGREED_OURS,
    (Duty.OFF, Stir.AGREED_THEIRS):     _AGREED_THEIRS,
    (Duty.OURS, Stir.AGREED_OURS):      _AGREED_OURS,
    (Duty.OURS, Stir.AGREED_THEIRS):    _AGREED_THEIRS,
    (Duty.OURS, Stir.AGREED_NONE):      _AGREED_NONE,
    (Duty.OURS, Stir.TIMER_REFRESH):    (Duty.ASKING, (Task.REFRESH,)),
    (Duty.OURS, Stir.TIMER_END):        (Duty.OFF,    (Task.STOP, Task.END)),
    (Duty.ASKING, Stir.AGREED_OURS):    _AGREED_OURS,
    (Duty.ASKING, Stir.AGREED_THEIRS):  _AGREED_THEIRS,
    (Duty.ASKING, Stir.AGREED_NONE):    _AGREED_NONE,
    (Duty.ASKING, Stir.REFUSED):        (Duty.OURS,   (Task.ARM_RETRY,)),
    (Duty.ASKING, Stir.TIMER_END):      (Duty.OFF,    (Task.STOP, Task.END)),
    (Duty.THEIRS, Stir.AGREED_OURS):    _AGREED_OURS,
    (Duty.THEIRS, Stir.AGREED_THEIRS):  _AGREED_THEIRS,
    (Duty.THEIRS, Stir.AGREED_NONE):    _AGREED_NONE,
    (Duty.THEIRS, Stir.TIMER_END):      (Duty.OFF,    (Task.STOP, Task.END)),
}
# fmt: on


def too_brief(request: Request, min_se_s: int) -> bool:
    """Whether an INVITE or UPDATE asks for a shorter session than we accept: 422 with Min-SE (RFC 4028 section 9)."""
    wanted = SessionExpires.of(request)
    return wanted is not None and wanted.seconds < min_se_s and has_option(request.headers, "Supported", "timer")


def larger_interval(request: Request, response: Response) -> HeaderList | None:
    """What to send again after this 422; None when the peer asks for nothing larger (RFC 4028 section 7.3)."""
    least, tried = read_number(response.headers.get("Min-SE")), SessionExpires.of(request)
    if least is None or tried is None or least <= tried.seconds:
        return None
    return (("Session-Expires", str(tried._replace(seconds=least))), ("Min-SE", f"{least}"))


def request_lines(wanted: SessionTimer) -> HeaderList:
    """What an INVITE says that asks for a session timer; who refreshes is left to the peer."""
    return (("Session-Expires", f"{max(wanted.expires_s, wanted.min_se_s)}"), ("Min-SE", f"{wanted.min_se_s}"))


class Watch:
    """The timer of one session, which lets go of this when it is over."""

    __slots__ = ("_end", "_min_se_s", "_refresh", "_retry_after_s", "_session", "by_update", "interval_s", "state")

    def __init__(self, session: Session) -> None:
        self.state = Duty.OFF
        self.interval_s = 0.0
        self.by_update = True  # until the peer refuses to know it
        self._session = session
        self._min_se_s = session.core.settings.min_se_s if self.wanted is None else self.wanted.min_se_s
        self._retry_after_s = RETRY_S
        self._refresh = self._end = 0

    @property
    def wanted(self) -> SessionTimer | None:
        """What the owner wants; None: whatever the peer asks for."""
        return self._session.session_timer

    # -- what is said ----------------------------------------------------------------------------------------------

    def for_request(self) -> HeaderList:
        """The headers of an INVITE, re-INVITE or UPDATE of ours."""
        if self.state is Duty.OFF:
            if self.wanted is None:
                return ()
            expires = SessionExpires(max(self.wanted.expires_s, self._min_se_s))
        else:
            expires = SessionExpires(int(self.interval_s), "uas" if self.state is Duty.THEIRS else "uac")
        return (("Session-Expires", str(expires)), ("Min-SE", f"{self._min_se_s}"))

    def for_answer(self, request: Request, now: float) -> HeaderList:
        """The headers of our 2xx to this request; the timer runs from here."""
        asked, knows = SessionExpires.of(request), has_option(request.headers, "Supported", "timer")
        least = max(read_number(request.headers.get("Min-SE")) or 0, self._min_se_s)
        if asked is not None:
            seconds = max(asked.seconds, least)
            if self.wanted is not None:
                seconds = min(seconds, max(self.wanted.expires_s, least))
            refresher = (asked.refresher or "uac") if knows else "uas"
        elif self.wanted is not None:
            seconds, refresher = max(self.wanted.expires_s, least), "uas"
        else:
            self._feed(Stir.AGREED_NONE, now)
            return ()
        self.interval_s = float(seconds)
        self._feed(Stir.AGREED_THEIRS if refresher == "uac" else Stir.AGREED_OURS, now)
        expires = ("Session-Expires", str(SessionExpires(seconds, refresher)))
        return (expires, ("Require", "timer")) if refresher == "uac" else (expires,)

    # -- what is heard ---------------------------------------------------------------------------------------------

    def on_answer(self, response: Response, now: float) -> None:
        """A 2xx to a request of ours that carried `for_request`."""
        agreed = SessionExpires.of(response)
        if agreed is not None:
            self.interval_s = float(max(agreed.seconds, MIN_INTERVAL_S))
            self._feed(Stir.AGREED_THEIRS if agreed.refresher == "uas" else Stir.AGREED_OURS, now)
        elif self.wanted is not None:
            self.interval_s = float(max(self.wanted.expires_s, self._min_se_s))
            self._feed(Stir.AGREED_OURS, now)
        else:
            self._feed(Stir.AGREED_NONE, now)

    def on_refused(self, now: float, retry_after_s: float | None = None) -> None:
        """Our refresh came to nothing; it is tried again while there is time."""
        self._retry_after_s = RETRY_S if retry_after_s is None else min(retry_after_s, MAX_RETRY_AFTER_S)
        self._feed(Stir.REFUSED, now)

    def note_min_se(self, seconds: int) -> None:
        """A 422 told us what the way to the peer accepts (RFC 4028 section 7.1: said in all later requests)."""
        self._min_se_s = max(self._min_se_s, seconds)
        self.interval_s = max(self.interval_s, float(seconds))

    def on_timer(self, cue: Stir, now: float) -> None:
        """One of the two timers has come due."""
        self._feed(cue, now)

    def close(self) -> None:
        """The session is over."""
        self._stop(0.0)

    # -- the machine -----------------------------------------------------------------------------------------------

    def _feed(self, stir: Stir, now: float) -> None:
        row = WATCH.get((self.state, stir))
        if row is None:
            return
        self.state, todo = row
        for task in todo:
            _PERFORM[task](self, now)

    def _arm(self, at: float, cue: Stir) -> int:
        return self._session.core.deadlines.arm(at, (self, cue))

    def _stop(self, _now: float) -> None:
        deadlines = self._session.core.deadlines
        deadlines.cancel(self._refresh)
        deadlines.cancel(self._end)
        self._refresh = self._end = 0

    def _arm_refresh(self, now: float) -> None:
        self._refresh = self._arm(now + self.interval_s / 2, Stir.TIMER_REFRESH)

    def _arm_retry(self, now: float) -> None:
        self._refresh = self._arm(now + self._retry_after_s, Stir.TIMER_REFRESH)

    def _arm_end(self, now: float) -> None:
        self._end = self._arm(now + self.interval_s - min(MARGIN_S, self.interval_s / 3), Stir.TIMER_END)

    def _ask(self, now: float) -> None:
        self._session.send_refresh(now, Draft(self.for_request()))

    def _end_session(self, now: float) -> None:
        self._session.on_expiry(now)


_PERFORM: Final[dict[Task, Callable[[Watch, float], None]]] = {
    Task.STOP: Watch._stop,
    Task.ARM_REFRESH: Watch._arm_refresh,
    Task.ARM_RETRY: Watch._arm_retry,
    Task.ARM_END: Watch._arm_end,
    Task.REFRESH: Watch._ask,
    Task.END: Watch._end_session,
}
