"""Methods for the audio of a call: play, stop, collect, send digits, listen, mute."""

from dataclasses import dataclass
from typing import Any, Final

from santral.engine.calls.collecting import MAX_LENGTH, Wanted
from santral.engine.calls.playing import ANY_DIGIT, Manner
from santral.engine.control.caller import Caller
from santral.engine.control.protocol import RequestError
from santral.engine.control.shapes import about

LEG: Final = "id of a leg, `originating` or `connected`; both if left out"
MAX_WAIT_S: Final = 600.0
DIGITS: Final = frozenset("0123456789*#ABCD")


@dataclass(frozen=True, slots=True)
class Play:
    """Play sound files of the tenant to a call, one after the other. Answers when they have begun.

    `play.finished` follows. A file that cannot be read is refused (`cannot_play`) before anything is heard. What is
    relayed to the leg meanwhile is held back.
    """

    id: str = about("of the call")
    file: str | tuple[str, ...] = about("path inside the tenant's sounds, or a list of them")
    leg: str | None = about(LEG, None)
    loop: bool = about("over and over", False)
    offset_ms: int = about("where to begin, in all of it", 0)
    gain_db: float = about("louder or softer, -60 to 24", 0.0)
    stop_on: str = about("digits of the leg's peer that end it, `any` for each", "")


async def on_play(caller: Caller, command: Play) -> dict[str, Any]:
    if command.offset_ms < 0:
        raise wrong("offset_ms", "must be 0 or more")
    manner = Manner(command.loop, command.offset_ms, command.gain_db, keys("stop_on", command.stop_on))
    return {"plays": await caller.call(command.id).verbs.play(listed(command.file), command.leg, manner)}


@dataclass(frozen=True, slots=True)
class Stop:
    """End what `call.play` and `call.collect` have begun; answers how much that was."""

    id: str = about("of the call")
    leg: str | None = about(LEG, None)


async def on_stop(caller: Caller, command: Stop) -> dict[str, Any]:
    return {"stopped": caller.call(command.id).verbs.stop(command.leg)}


@dataclass(frozen=True, slots=True)
class Collect:
    """Collect the digits a leg's peer presses, behind a prompt if there is one; answers when that is over.

    The digits go nowhere else meanwhile. Reasons: `length`, `terminator`, `timeout` (no digit came), `digit_timeout`
    (no more came), `stopped`, `ended`. Digits of a `secure` collection are in this answer only: `*` in events, nothing
    in recordings; such a request takes no `key`.
    """

    id: str = about("of the call")
    file: str | tuple[str, ...] = about("prompt: path inside the tenant's sounds, or a list of them", ())
    leg: str | None = about("id of a leg, `originating` or `connected`", "originating")
    length: int = about(f"digits that are enough, up to {MAX_LENGTH}; 0: as many as come", 0)
    timeout: float = about(
        f"seconds to wait for the first digit, up to {MAX_WAIT_S:g}, from the end of the prompt", 5.0
    )
    digit_timeout: float = about("seconds to wait for each further digit", 3.0)
    terminator: str = about("digits that end it and do not count", "#")
    stop_on: str = about("digits that end the prompt, `any` for each", ANY_DIGIT)
    secure: bool = about("tell nobody else which digits came", False)


async def on_collect(caller: Caller, command: Collect) -> dict[str, Any]:
    if not 0 <= command.length <= MAX_LENGTH:
        raise wrong("length", f"must be 0 to {MAX_LENGTH}")
    for name, value in (("timeout", command.timeout), ("digit_timeout", command.digit_timeout)):
        if not 0 < value <= MAX_WAIT_S:
            raise wrong(name, f"must be more than 0 and at most {MAX_WAIT_S:g}")
    wanted = Wanted(
        command.length, command.timeout, command.digit_timeout, keys("terminator", command.terminator), command.secure
    )
    stop_on = keys("stop_on", command.stop_on)
    return await caller.call(command.id).verbs.collect(listed(command.file), command.leg, stop_on, wanted)


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Press keys towards a leg's peer, by event, tone or INFO as it hears them. `dtmf.sent` follows."""

    id: str = about("of the call")
    digits: str = about("of 0-9 * # A-D")
    leg: str | None = about("id of a leg, `originating` or `connected`", "connected")
    ms: int = about("how long each is held, 40 to 10000", 100)
    gap_ms: int = about("pause behind each, 20 to 10000", 60)


async def on_send_dtmf(caller: Caller, command: SendDtmf) -> dict[str, Any]:
    if not command.digits or not 40 <= command.ms <= 10_000 or not 20 <= command.gap_ms <= 10_000:
        raise wrong("digits", "must be some, each for 40 to 10000 ms, with pauses of 20 to 10000")
    digits = keys("digits", command.digits)
    return caller.call(command.id).verbs.send_digits(digits, command.leg, command.ms, command.gap_ms)


@dataclass(frozen=True, slots=True)
class Detect:
    """Listen to legs for these things from now on, and for nothing else; an empty list: for nothing.

    `dtmf`: digits said as tones; `tones`: `tone.detected`; `fax`: `fax.detected`; `voice`: `talk.started` and
    `talk.stopped`; `level`: `media.level` once a second.
    """

    id: str = about("of the call")
    kinds: tuple[str, ...] = about("of `dtmf`, `tones`, `fax`, `voice`, `level`")
    leg: str | None = about(LEG, None)


async def on_detect(caller: Caller, command: Detect) -> dict[str, Any]:
    return {"legs": caller.call(command.id).verbs.detect(command.kinds, command.leg)}


@dataclass(frozen=True, slots=True)
class Mute:
    """What these legs say is heard by nobody from now on; what they hear stays."""

    id: str = about("of the call")
    leg: str | None = about(LEG, None)


async def on_mute(caller: Caller, command: Mute) -> dict[str, Any]:
    return {"legs": caller.call(command.id).verbs.mute(command.leg, on=True)}


@dataclass(frozen=True, slots=True)
class Unmute:
    """What these legs say is heard again."""

    id: str = about("of the call")
    leg: str | None = about(LEG, None)


async def on_unmute(caller: Caller, command: Unmute) -> dict[str, Any]:
    return {"legs": caller.call(command.id).verbs.mute(command.leg, on=False)}


def listed(files: str | tuple[str, ...]) -> tuple[str, ...]:
    """One file, or several, as a list."""
    return (files,) if isinstance(files, str) else files


def keys(name: str, given: str) -> str:
    """Digits in capitals; RequestError names the parameter when they are none."""
    if given == ANY_DIGIT:
        return given
    written = given.upper()
    if not DIGITS.issuperset(written) or len(written) > MAX_LENGTH:
        raise wrong(name, f"must be up to {MAX_LENGTH} of 0-9 * # A-D")
    return written


def wrong(name: str, sentence: str) -> RequestError:
    return RequestError("bad_params", f"{name}: {sentence}", {"fields": [name]})
