"""Digits of a call: told as events, collected, and passed to a leg whose peer hears them by INFO, or from one that says
them so. Between events and tones the media plane converts by itself.

Each digit counts once. A peer that may say it both ways (`dtmf = "auto"` with telephone-event agreed on) is listened to
for a moment before its INFO counts: most that send INFO send the event as well.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from santral.engine.calls import playing
from santral.engine.calls.joins import bridge_of
from santral.engine.calls.leg import DTMF_RELAY, Leg
from santral.engine.calls.table import Heard, Input
from santral.engine.media import MediaEvent
from santral.sip.message import Request

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

DTMF: Final = "application/dtmf"
DIGITS: Final = "0123456789*#ABCD"  # a number in an INFO counts in this order
HIDDEN: Final = "*"
DEFAULT_MS: Final = 100
LONGEST_MS: Final = 10_000
SHORTEST_MS: Final = 40
BODY_MAX: Final = 256  # octets of an INFO that are looked at
BOTH_WAYS_S: Final = 0.25  # how far apart the event and the INFO of one key come
TAKES_INFO: Final = frozenset({"auto", "info"})

_SIGNAL: Final = re.compile(r"^\s*Signal\s*=\s*(\S+)\s*$", re.IGNORECASE | re.MULTILINE | re.ASCII)
_DURATION: Final = re.compile(r"^\s*Duration\s*=\s*([0-9]{1,5})\s*$", re.IGNORECASE | re.MULTILINE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Digit:
    """A key that a leg's peer pressed; `via`: rfc4733, inband or info."""

    digit: str
    ms: int
    via: str
    masked: bool = False

    @classmethod
    def of(cls, event: MediaEvent) -> "Digit":
        data = event.data
        return cls(str(data["digit"]), int(data["ms"]), str(data["via"]), bool(data["masked"]))


def is_digit(request: Request) -> bool:
    """Whether this is an INFO that tells a digit."""
    return request.method == "INFO" and _kind(request) in {DTMF, DTMF_RELAY}


def _kind(request: Request) -> str:
    return (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def read_info(request: Request) -> Digit | None:
    """The digit of an INFO; None when there is none in it."""
    body = bytes(request.body[:BODY_MAX]).decode("ascii", "replace")
    signal = _SIGNAL.search(body)
    said = (signal[1] if signal else body.strip() if _kind(request) == DTMF else "").upper()
    if said.isdecimal() and len(said) == 2 and int(said) < len(DIGITS):
        said = DIGITS[int(said)]
    if len(said) != 1 or said not in DIGITS:
        return None
    duration = _DURATION.search(body)
    ms = int(duration[1]) if duration else DEFAULT_MS
    return Digit(said, max(SHORTEST_MS, min(ms, LONGEST_MS)), "info")


def hear_info(call: "Call", leg: Leg, key: str, request: Request) -> None:
    """Answer an INFO with a digit, and count it unless it comes by media as well."""
    digit = read_info(request)
    leg.reply(key, request, 400 if digit is None else 200)
    if digit is None or leg.party.dtmf not in TAKES_INFO:
        return
    if leg.agreement is None or not leg.agreement.has_events:
        heard(call, leg, digit)
        return
    now = call.services.loop.time()
    if now - call.pressed.get((leg.id, digit.digit), 0.0) > BOTH_WAYS_S:
        call.services.loop.call_later(BOTH_WAYS_S, _count, call, leg, digit, now - BOTH_WAYS_S)


def _count(call: "Call", leg: Leg, digit: Digit, since: float) -> None:
    """The key was told by INFO a moment ago: has it come by media meanwhile?"""
    if not call.is_finished and call.pressed.get((leg.id, digit.digit), 0.0) < since:
        heard(call, leg, digit)


def heard(call: "Call", leg: Leg, digit: Digit) -> None:
    """A key was pressed: tell it, collect it, or pass it on."""
    collecting = call.collecting.get(leg.id)
    is_hidden = digit.masked or call.is_masked or (collecting is not None and collecting.wanted.secure)
    shown = HIDDEN if is_hidden else digit.digit
    call.emit("dtmf.received", leg=leg.id, digit=shown, ms=digit.ms, via=digit.via)
    if digit.via == "info":
        playing.barge_in(call, leg, digit.digit)
    else:
        call.pressed[leg.id, digit.digit] = call.services.loop.time()
    if collecting is not None:
        collecting.press(digit.digit)
    elif (bridge := bridge_of(call, leg)) is not None and not call.is_masked:
        _pass_on(bridge.other(leg), digit, is_carried=bridge.carries_digits)
    else:
        call.post(Input.PRESSED, Heard(leg, digit.digit))


def _pass_on(to: Leg, digit: Digit, *, is_carried: bool) -> None:
    """To the other side, unless the media plane does: it carries none through a room."""
    if not to.is_open or to.media is None or to.media.final is not None:
        return
    if to.party.dtmf == "info":
        if to.is_answered:
            to.press(digit.digit, digit.ms)
    elif (digit.via == "info" or (digit.via == "rfc4733" and not is_carried)) and to.media.remote is not None:
        to.media.send_digits(digit.digit, digit.ms)


async def press(call: "Call", leg: Leg, digits: str, ms: int, gap_ms: int) -> None:
    """Tell a peer these digits by INFO, in the time that pressing them takes."""
    sent = 0
    for digit in digits:
        if not leg.is_open:
            break
        leg.press(digit, ms)
        sent += 1
        await asyncio.sleep((ms + gap_ms) / 1000)
    call.emit("dtmf.sent", leg=leg.id, digits=sent, completed=sent == len(digits))


def send(call: "Call", leg: Leg, digits: str, ms: int, gap_ms: int) -> None:
    """Press keys towards a leg's peer, as it hears them. Raises `MediaError` for what cannot be sent."""
    if leg.party.dtmf == "info":
        call.spawn(press(call, leg, digits, ms, gap_ms))
    else:
        call.sending.add(leg.rtp.send_digits(digits, ms, gap_ms))


def sent(call: "Call", leg: Leg, event: MediaEvent) -> None:
    """The media plane has sent what it was given; told where a command asked for it."""
    send_id = int(event.data["send_id"])
    if send_id in call.sending:
        call.sending.discard(send_id)
        call.emit("dtmf.sent", leg=leg.id, digits=event.data["digits"], completed=event.data["completed"])
