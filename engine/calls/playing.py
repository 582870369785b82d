"""Playing to a leg: files decoded first, told as events, and what follows when one has ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from santral.engine.calls.leg import Leg
from santral.engine.calls.table import Input
from santral.engine.media import AudioError, MediaError, MediaEvent, PreparedAudio, rate_of

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.config.sounds import Sound

ANY_DIGIT: Final = "any"
REASONS: Final = {"completed": "end"}  # the other words of the media plane are told as they are
FRAME_MS: Final = 20  # of a player


@dataclass(frozen=True, slots=True)
class Manner:
    """How something is played. `stop_on`: digits of the peer that end it, "any" for each of them. An interlude is
    stopped by nothing; whatever else is played waits for its end and goes on.
    """

    loop: bool = False
    offset_ms: int = 0
    gain_db: float = 0.0
    stop_on: str = ""
    interlude: bool = False


ONCE: Final = Manner()
OVER_AND_OVER: Final = Manner(loop=True)
FIRST: Final = Manner(interlude=True)


@dataclass(frozen=True, slots=True)
class Playing:
    """What is played to a leg. When it has ended, whatever ended it, `then` is posted and `on_end` told the reason.

    `is_asked`: a control client wanted it. `is_barged`: a digit that the media plane does not hear has ended it.
    """

    leg: Leg
    file: str
    manner: Manner = ONCE
    then: Input | None = None
    on_end: Callable[[str], None] | None = None
    is_asked: bool = False
    is_barged: bool = False


async def prepare(call: "Call", leg: Leg, file: str, folder: str, codec: str = "") -> PreparedAudio | None:
    """The file as this leg can be played it; None, and a line in the log, when it cannot be."""
    try:
        return await call.services.audio.prepare(file, rate_of(codec or leg.agreed.audio.key), folder)
    except AudioError as problem:
        call.log.error("cannot play", file=file, error=problem.reason)
        return None


async def prepare_all(call: "Call", leg: Leg, sounds: "Sequence[Sound]") -> list[PreparedAudio]:
    """Those of them that can be played."""
    ready = [await prepare(call, leg, str(one.file), str(one.folder)) for one in sounds]
    return [one for one in ready if one is not None]


def begin(call: "Call", what: Playing, audio: PreparedAudio | Sequence[PreparedAudio]) -> int:
    """Play from now on; the media plane's number for it.

    Raises `MediaError` when the leg's peer cannot be played to or the manner makes no sense, ValueError when the audio
    does not.
    """
    manner = what.manner
    play_id = call.services.plane.play(
        what.leg.rtp,
        audio,
        loop=manner.loop,
        offset_ms=manner.offset_ms,
        gain_db=manner.gain_db,
        stop_on=manner.stop_on,
        interlude=manner.interlude,
    )
    call.plays[play_id] = what
    call.emit("play.started", leg=what.leg.id, file=what.file, play=play_id)
    return play_id


def start(call: "Call", what: Playing, audio: PreparedAudio) -> None:
    """The same for what nobody asked for: when it cannot be, that is logged, and `then` posted at once."""
    try:
        begin(call, what, audio)
    except MediaError as problem:
        call.log.error("cannot play", file=what.file, error=str(problem))
        if what.then is not None:
            call.post(what.then)


def stop(call: "Call", leg: Leg) -> None:
    """End what is played to the leg, if anything is."""
    if leg.rtp.final is None and any(playing.leg is leg for playing in call.plays.values()):
        call.services.plane.stop_play(leg.rtp)


def barge_in(call: "Call", leg: Leg, digit: str) -> None:
    """The leg's peer has pressed this key by signalling: what it ends, ends."""
    for play_id, playing in call.plays.items():
        stop_on = playing.manner.stop_on
        if playing.leg is leg and not playing.is_barged and (stop_on == ANY_DIGIT or digit in stop_on):
            call.plays[play_id] = replace(playing, is_barged=True)
            call.services.plane.stop_play(leg.rtp)
            return


def leave(call: "Call", leg: Leg) -> None:
    """The call goes on to something else: what is played to the leg ends, and with it nothing."""
    for play_id, playing in call.plays.items():
        if playing.leg is leg:
            call.plays[play_id] = replace(playing, then=None)
    stop(call, leg)


def finished(call: "Call", event: MediaEvent) -> None:
    """The media plane says that something has ended."""
    play_id = int(event.data["play_id"])
    playing = call.plays.pop(play_id, None)
    if playing is None:
        return
    reason = "digit" if playing.is_barged else REASONS.get(str(event.data["reason"]), str(event.data["reason"]))
    call.emit(
        "play.finished",
        leg=playing.leg.id,
        file=playing.file,
        reason=reason,
        play=play_id,
        ms=FRAME_MS * int(event.data["frames"]),
    )
    if playing.then is not None:
        call.post(playing.then)
    if playing.on_end is not None:
        playing.on_end(reason)
    call.services.recordings.follow(call)  # who waits to hear of the recording can now
