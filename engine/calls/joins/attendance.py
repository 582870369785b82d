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

    def end(self) -> None:
        for leg in self._legs:
            self.conference.leave(leg, self.reason)
