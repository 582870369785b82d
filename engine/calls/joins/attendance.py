"""Legs of a call in a conference."""

from typing import TYPE_CHECKING

from santral.engine.calls.joins.endpoint import Endpoint
from santral.engine.calls.leg import Leg
from santral.engine.conferences import Conference, Manners

if TYPE_CHECKING:
    from santral.engine.calls.call import Call


class Attendance(Endpoint):
    """Everybody in the call hears the conference, and is heard there."""

    def __init__(self, call: "Call", legs: tuple[Leg, ...], conference: Conference, manners: Manners) -> None:
        """Raises `MediaError` when a leg's codec cannot be mixed, or in no such manner; those before it are in then."""
        super().__init__(call, *legs)
        self.conference = conference
        self.reason = "left"
        for leg in legs:
            conference.enter(call, leg, manners)

    def has_company(self, leg: Leg) -> bool:
        """Without this leg the other one of the call would still hear somebody who speaks there."""
        others = (one for one in self.conference.members.values() if one.leg not in self._legs)
        return len(self._legs) > 1 and leg in self._legs and any(not one.manners.monitor for one in others)

    def let_go(self, leg: Leg) -> None:
        """This one is not in the call any more."""
        self._legs = tuple(one for one in self._legs if one is not leg)
        self.conference.leave(leg, self.reason)

    def end(self) -> None:
        for leg in self._legs:
            self.conference.leave(leg, self.reason)
