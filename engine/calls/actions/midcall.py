"""Inside an answered call: changes and requests go to the join, silence is asked about before it ends anything."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from santral.engine.calls import digits
from santral.engine.calls.actions import ringing
from santral.engine.calls.joins import Bridge, Endpoint, hear_alone
from santral.engine.calls.leg import Leg, News
from santral.engine.calls.table import Input
from santral.engine.media import MediaError

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.conferences import Conference

UNABLE: Final = 500  # to an INFO while nobody is there to hear it
GONE: Final = frozenset({404, 408, 410, 481, 503, 504})  # answers to a probe of a call that the peer has not


class Holding(NamedTuple):
    """A command has the peers of these legs wait, or not any more."""

    legs: Sequence[Leg]
    on: bool
    by: str


class Listening(NamedTuple):
    """Others listen in this room to the two who hear each other; None: nobody does. `on_refused` is told if a codec
    cannot be mixed.
    """

    room: "Conference | None"
    on_refused: Callable[[str], None]


def hold(call: "Call", _what: Input, wanted: Holding) -> None:
    if not isinstance(call.join, Bridge):
        return
    for leg in wanted.legs:
        if leg in call.join.legs:
            (call.join.hold if wanted.on else call.join.resume)(leg, wanted.by)
    call.services.queues.look_at_hold(call)


def listen(call: "Call", _what: Input, wanted: Listening) -> None:
    """How the two hear each other is changed, not that they do."""
    bridge, room = call.join, wanted.room
    if not isinstance(bridge, Bridge) or bridge.room is room:
        return
    bridge.let_out()
    if room is not None:
        try:
            bridge.let_in(room)
        except MediaError as problem:
            wanted.on_refused(str(problem))


def part(call: "Call", _what: Input, _data: Any) -> None:
    """The legs hear each other no more; each is alone with the engine."""
    call.end_join()
    call.join = apart = Endpoint(call, *(leg for leg in call.roles.values() if leg.is_open))
    apart.align()


def carry_change(call: "Call", what: Input, change: tuple[Leg, News, Any]) -> None:
    leg, news, data = change
    if news is News.REPLIED and data[0] in call.probes:
        _judge(call, call.probes.pop(data[0]), data[1])
        return
    if news is News.ASKED and digits.is_digit(data[1]):
        digits.hear_info(call, leg, *data)
        return
    if call.join is not None and leg in call.join.legs:
        call.join.hear(leg, news, data)
        call.services.queues.look_at_hold(call)
    elif news is News.ASKED:
        key, request = data
        leg.reply(key, request, UNABLE)
    else:
        hear_alone(call, leg, news)
        ringing.hear_another(call, what, data)  # the caller's PRACK may have made it ready for early media
    if news is News.CHANGED and call.waiting is not None and leg is call.caller:
        call.services.queues.audible(call)  # a late offer: the ACK brought the address
    if news is News.CHANGED and call.waits_for_media is not None:
        begin, call.waits_for_media = call.waits_for_media, None
        begin()


def probe(call: "Call", _what: Input, leg: Leg) -> None:
    """No RTP for the whole time-out: ask over SIP before ending the call; silence ever since ends it anyway."""
    if call.doubted.get(leg.id) == leg.rtp.stats().packets_in:
        call.post(Input.MEDIA_LOST, leg)
    elif leg.is_open:
        call.probes[leg.probe()] = leg


def _judge(call: "Call", leg: Leg, status: int) -> None:
    """Any answer but that of a peer without this call will do: a phone may say 486 to OPTIONS (RFC 3261 11.2)."""
    if status in GONE:
        call.post(Input.MEDIA_LOST, leg)
    else:
        call.doubted[leg.id] = leg.rtp.stats().packets_in
        leg.expect_media()
