"""A caller, and a leg that stays up in a call of its own: an agent who stays on the line."""

from typing import TYPE_CHECKING, Any

from santral.engine.calls.joins.bridge import Bridge
from santral.engine.calls.joins.endpoint import Endpoint
from santral.engine.calls.leg import Leg, News
from santral.engine.calls.table import Heard, Input

if TYPE_CHECKING:
    from santral.engine.calls.call import Call


class Lent(Bridge):
    """Both hear each other, hold each other, and change as in any bridge. When it ends the lent leg goes on in `home`,
    alone, and the queue is told that its agent has left the call.
    """

    aligns_codecs = False  # it has been as it is for longer than this call

    def __init__(self, call: "Call", leg: Leg, lent: Leg, home: "Call") -> None:
        self.leg, self.lent, self.home = leg, lent, home
        home.end_join()
        super().__init__(call, leg, lent)
        home.join = OnLoan(home, self)

    def owner(self, leg: Leg) -> "Call":
        return self.home if leg is self.lent else self._call

    def end(self) -> None:
        super().end()
        if self.lent.is_open and not self.home.is_finished:
            self.home.join = alone = Endpoint(self.home, self.lent)
            alone.align()
        self._call.services.queues.returned(self.lent)


class OnLoan(Endpoint):
    """What the call of a lent leg has meanwhile: what happens to the leg is the other call's to deal with."""

    def __init__(self, home: "Call", to: Lent) -> None:
        super().__init__(home, to.lent)
        self.to = to

    @property
    def borrower(self) -> "Call":
        """The call that the leg is lent to."""
        return self.to.owner(self.to.leg)

    def hear(self, leg: Leg, news: News, data: Any) -> None:
        self.to.hear(leg, news, data)

    def end(self) -> None:
        """The leg goes, or to somebody else: who spoke to it is alone."""
        borrower = self.borrower
        if borrower.join is not self.to:
            return
        borrower.end_join()
        if borrower.transfer is not None:
            borrower.post(Input.LEAVER_ENDED, Heard(self.to.lent))
        else:
            borrower.hang_up(None, "callee")


def bridge_of(call: "Call", leg: Leg) -> Bridge | None:
    """The bridge in which this leg of the call hears somebody, if it is in one: its call's, or that of the borrower."""
    join = call.join
    if isinstance(join, OnLoan):
        join = join.to
    return join if isinstance(join, Bridge) and leg in join.legs else None
