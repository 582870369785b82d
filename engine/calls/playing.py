"""Playing files to a leg: decoded first, told as events, and what follows when one has ended."""

from typing import TYPE_CHECKING, NamedTuple

from santral.engine.calls.leg import Leg
from santral.engine.calls.table import Input
from santral.engine.media import AudioError, MediaError, MediaEvent, PreparedAudio, rate_of

if TYPE_CHECKING:
    from santral.engine.calls.call import Call


class Playing(NamedTuple):
    """One file on its way to a leg; `then` is posted when it has ended, whatever ended it."""

    leg: Leg
    file: str
    then: Input | None


async def prepare(call: "Call", leg: Leg, file: str, folder: str, codec: str = "") -> PreparedAudio | None:
    """The file as this leg can be played it; None, and a line in the log, when it cannot be."""
    try:
        return await call.services.audio.prepare(file, rate_of(codec or leg.agreed.audio.key), folder)
    except AudioError as problem:
        call.log.error("cannot play", file=file, error=problem.reason)
        return None


def start(
    call: "Call", leg: Leg, audio: PreparedAudio, file: str, *, loop: bool = False, then: Input | None = None
) -> bool:
    """Play to the leg from now on; False, with `then` posted all the same, when its peer cannot be played to."""
    try:
        play_id = call.services.plane.play(leg.rtp, audio, loop=loop)
    except MediaError as problem:
        call.log.error("cannot play", file=file, error=str(problem))
        if then is not None:
            call.post(then)
        return False
    call.plays[play_id] = Playing(leg, file, then)
    call.emit("play.started", leg=leg.id, file=file)
    return True


def stop(call: "Call", leg: Leg) -> None:
    """End what is played to the leg, if anything is."""
    if leg.rtp.final is None and any(playing.leg is leg for playing in call.plays.values()):
        call.services.plane.stop_play(leg.rtp)


def finished(call: "Call", event: MediaEvent) -> None:
    """The media plane says that something has ended."""
    playing = call.plays.pop(int(event.data["play_id"]), None)
    if playing is None:
        return
    reason = "end" if event.data["completed"] else "stopped"
    call.emit("play.finished", leg=playing.leg.id, file=playing.file, reason=reason)
    if playing.then is not None:
        call.post(playing.then)
