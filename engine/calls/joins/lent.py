"""A caller, and a leg that stays up in a call of its own: an agent who stays on the line."""

from typing import TYPE_CHECKING

from santral.engine.calls.joins.endpoint import Endpoint
from santral.engine.calls.leg import Leg

if TYPE_CHECKING:
    from santral.engine.calls.call import Call


class Lent(Endpoint):
    """Both hear each other; each session is its own call's, and changes of one are none of the other's."""

    def __init__(self, call: "Call", leg: Leg, lent: Leg) -> None:
        super().__init__(call, leg)
        self.leg, self.lent = leg, lent
        call.services.plane.bridge(leg.rtp, lent.rtp)
        call.emit("bridge.started", legs=[leg.id, lent.id])

    def end(self) -> None:
        leg = self.leg
        self._call.emit("bridge.ended", legs=[leg.id, self.lent.id])
        for one in (leg, self.lent):
            if one.media is not None and one.media.final is None:
                self._call.services.plane.unbridge(one.media)
                return
