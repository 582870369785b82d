"""Legs and the engine itself: echo, a file, or nothing yet."""

from typing import TYPE_CHECKING, Any

from santral.engine.calls.joins.join import announce_change
from santral.engine.calls.leg import Leg, News
from santral.sip.errors import NotAcceptable

if TYPE_CHECKING:
    from santral.engine.calls.call import Call


class Endpoint:
    """Legs that hear the engine and not each other: echo, a file, or nothing yet."""

    def __init__(self, call: "Call", *legs: Leg) -> None:
        self._call, self._legs = call, legs

    @property
    def legs(self) -> tuple[Leg, ...]:
        return self._legs

    def align(self) -> None:
        """Whoever was kept waiting by somebody who was here before sends and hears again."""
        for leg in self._legs:
            if leg.direction != "sendrecv" and leg.may_be_asked and not leg.is_changing:
                leg.ask_change(leg.agreed.ours, "sendrecv")

    def end(self) -> None:
        """Nothing to part: the media leg is closed by the call."""

    def hear(self, leg: Leg, news: News, data: Any) -> None:
        if news is News.ASKED:
            key, request = data
            leg.reply(key, request, 200)
        else:
            hear_alone(self._call, leg, news)


def hear_alone(call: "Call", leg: Leg, news: News) -> None:
    """A change of a leg whose counterpart is the engine, or nobody yet: what its peer wants, with the codec it has."""
    match news:
        case News.CHANGE_ASKED:
            try:
                leg.accept_change(leg.agreed, "sendrecv")
            except NotAcceptable as problem:
                leg.refuse_change(problem.status)
                return
            announce_change(call.emit, leg)
        case News.CHANGED:
            announce_change(call.emit, leg)
