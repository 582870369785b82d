"""A peer's REFER as its call sees it: whom it names, and how its sender is told what has come of it.

Outlives the leg: who sent it may hang up and is told all the same (RFC 3515, RFC 5057).
"""

from typing import TYPE_CHECKING, Final

from santral.sip.events import Referred
from santral.sip.session import Replaces
from santral.sip.uri import Uri

if TYPE_CHECKING:
    from santral.engine.calls.leg.model import Line

FINAL: Final = 200  # statuses from here on are the last word


class Referral:
    """One REFER. `refuse` it, or `accept` it and `tell` how far it has come."""

    __slots__ = ("_line", "_subscription", "_told", "replaces", "target")

    def __init__(self, line: "Line", event: Referred) -> None:
        self.target: Uri = event.refer_to.uri
        self.replaces: Replaces | None = event.replaces
        self._line = line
        self._subscription = event.subscription
        self._subscription.user = self
        self._told = 100

    def accept(self) -> None:
        """202, and that we try."""
        self._line.perform(self._subscription.accept(self._line.now()))

    def refuse(self, status: int) -> None:
        self._line.perform(self._subscription.reject(status, self._line.now()))

    def tell(self, status: int) -> None:
        """How far it has come; what was said already is not said again, and nothing after the last word."""
        if status != self._told and self._told < FINAL:
            self._told = status
            self.repeat()

    def repeat(self) -> None:
        """The last word again, to who has asked for it by SUBSCRIBE."""
        self._line.perform(self._subscription.notify_status(self._line.now(), self._told))
