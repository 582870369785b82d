"""One leg and the engine itself: echo, or a file."""

from typing import TYPE_CHECKING, Any

from santral.engine.calls.joins.join import announce_change
from santral.engine.calls.leg import Leg, News
from santral.sip.errors import NotAcceptable

if TYPE_CHECKING:
    from santral.engine.calls.call import Call


class Endpoint:
    """One leg and the engine itself: echo, or a file."""

    def __init__(self, call: "Call", leg: Leg) -> None:
        self._call, self._leg = call, leg

    @property
    def legs(self) -> tuple[Leg, ...]:
        return (self._leg,)

    def align(self) -> None:
        """Its peer may have been kept waiting by somebody who was here before: it sends and hears again."""
        leg = self._leg
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
