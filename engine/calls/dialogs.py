"""Which of our legs a Replaces names, seen from either side of it (RFC 3891).

Who refers, or calls, names a dialog as the party that is to give it up knows it. We are that party, or stand between:
then the dialog is that of one of our legs with the tags the other way round.
"""

from typing import TYPE_CHECKING, NamedTuple

from santral.engine.calls.joins import Bridge
from santral.engine.calls.leg import Leg, Party
from santral.sip.session import Replaces

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.world import Services


class Named(NamedTuple):
    """A leg of ours and its call. `is_far`: the dialog was named as the peer of this leg has it."""

    leg: Leg
    call: "Call"
    is_far: bool

    def counterpart(self, party: Party) -> Leg:
        """Who goes on: the other leg; but the named one itself where its peer was named, and is not who says so."""
        if self.is_far and not (party.user and party.user == self.leg.party.user):
            return self.leg
        return self._other

    @property
    def gone(self) -> Leg:
        """Whose place an INVITE takes that names this dialog."""
        return self._other if self.is_far else self.leg

    @property
    def _other(self) -> Leg:
        join = self.call.join
        return join.other(self.leg) if isinstance(join, Bridge) and self.leg in join.legs else self.leg


def find(services: "Services", replaces: Replaces) -> Named | None:
    """The leg whose dialog this is; None for a dialog that is not ours, or over."""
    agent = services.signalling.agent
    for is_far in (False, True):
        tags = (replaces.from_tag, replaces.to_tag) if is_far else (replaces.to_tag, replaces.from_tag)
        session = agent.find_session(replaces.call_id, *tags)
        if session is not None and isinstance(session.user, Leg):
            call = services.owner(session.user)
            if call is not None:
                return Named(session.user, call, is_far)
    return None
