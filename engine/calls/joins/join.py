"""What every kind of connection has in common: how the call drives it, and how a leg's changes are announced."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from santral.engine.calls.leg import Leg, News

HELD: Final = frozenset({"sendonly", "inactive"})  # what a peer wishes while it keeps the other side waiting

PEER: Final = "peer"  # who has put a leg on hold, when no control client has

Tell = Callable[..., Any]  # emit(type, leg=…, **fields)


class Join(Protocol):
    """What a leg is joined to, as the call drives it: another leg, or something of our own."""

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs in it."""
        ...

    def hear(self, leg: Leg, news: News, data: Any) -> None:
        """A change or a request inside the session of one of its legs."""
        ...

    def end(self) -> None:
        """Part the legs' audio. Closing legs is the call's work."""
        ...


def announce_change(emit: Tell, leg: Leg) -> None:
    """Tell what a change has made of a leg: held and resumed once each, and how it stands."""
    if leg.remote is None or leg.agreement is None:
        return
    direction, codec = leg.remote.direction, leg.agreement.audio.name
    if (leg.wish in HELD) != leg.is_held:
        leg.is_held = leg.wish in HELD
        if leg.is_held:
            emit("leg.held", leg=leg.id, by=PEER)
        else:
            emit("leg.resumed", leg=leg.id, by=PEER)
    emit("leg.changed", leg=leg.id, codec=codec, direction=direction)
