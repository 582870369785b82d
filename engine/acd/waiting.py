"""A caller who waits: what it hears, and which agents are rung for it.

An announcement is a list of speech and further music, so that nothing is silent between them; what a list replaces is
faded out by the media plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from santral.engine.calls import playing
from santral.engine.calls.playing import OVER_AND_OVER, Playing
from santral.engine.media import MediaError, PreparedAudio, rate_of

if TYPE_CHECKING:
    from santral.engine.acd.settings import QueueManner
    from santral.engine.calls.actions.queueing import Offer
    from santral.engine.calls.call import Call
    from santral.engine.config.sounds import Sound

FADE_MS: Final = 60  # of music that comes back
FRAME_MS: Final = 20
PAUSE_MS: Final = 300  # between speech and music
ENOUGH_MS: Final = 600_000  # of music behind an announcement; by then there was another, or it begins again
MOST_PIECES: Final = 56  # of music in one list


class HoldAudio:
    """What one caller hears while it waits."""

    def __init__(self, call: "Call", music: "Sound") -> None:
        self._call, self._music = call, music
        self._audio: PreparedAudio | None = None
        self._began = 0.0  # when the music was at its beginning, by the loop's clock
        self._is_over = False
        self._is_speaking_until = 0.0

    def begin(self) -> None:
        """Music from now on, as soon as the caller can hear anything."""
        self._call.spawn(self._begin())

    async def _begin(self) -> None:
        audio = await self._ready(self._music)
        if audio is None or self._is_over or self._audio is not None or not self._can_hear():
            return
        self._audio, self._began = audio, self._now
        self._play([audio], OVER_AND_OVER)

    def say(self, *sounds: "Sound") -> None:
        """The music makes way for these, and comes back."""
        self._call.spawn(self._say(sounds))

    async def _say(self, sounds: Sequence["Sound"]) -> None:
        ready = [await self._ready(one) for one in sounds]
        speech = [one for one in ready if one is not None]
        if not speech or self._is_over or not self._can_hear() or self._now < self._is_speaking_until:
            return
        pause = silence(speech[0].rate_hz, PAUSE_MS)
        music: list[PreparedAudio] = []
        length_s = sum(one.duration_ms for one in (*speech, pause)) / 1000
        if (tune := self._audio) is not None:
            at_ms = round((self._now - self._began) * 1000) % tune.duration_ms
            music = continued(tune, at_ms // 20 * 20)
            self._began = self._now + length_s - at_ms / 1000
        self._is_speaking_until = self._now + length_s
        self._play([*speech, pause, *music], playing.ONCE)

    def fade(self) -> None:
        """The caller is connected: what it hears fades out, and is over."""
        tune, self._is_over = self._audio, True
        if self._can_hear() and any(one.leg is self._call.caller for one in self._call.plays.values()):
            self._play([silence(self._rate_hz if tune is None else tune.rate_hz, FRAME_MS)], playing.ONCE)

    def end(self) -> None:
        """Whatever it hears next is somebody else's affair."""
        self._is_over = True

    def _play(self, audio: Sequence[PreparedAudio], manner: playing.Manner) -> None:
        call = self._call
        try:
            playing.begin(call, Playing(call.caller, str(self._music.file), manner, on_end=self._ended), audio)
        except (MediaError, ValueError) as problem:
            call.log.error("cannot play to who waits", error=str(problem))

    def _ended(self, reason: str) -> None:
        """A list has come to its end: no announcement came for long, or there was no music yet."""
        tune = self._audio
        if reason == "end" and not self._is_over and tune is not None and self._can_hear():
            self._began = self._now
            self._play([tune], OVER_AND_OVER)

    async def _ready(self, sound: "Sound") -> PreparedAudio | None:
        """Decoded at the rate the caller hears; before that is agreed, at that of its first codec."""
        call = self._call
        if not self._can_hear():
            return None
        codec = call.caller.agreed.audio.key
        audio = await playing.prepare(call, call.caller, str(sound.file), str(sound.folder), codec)
        return audio if audio is None or audio.rate_hz == rate_of(codec) else None

    def _can_hear(self) -> bool:
        leg = self._call.caller
        return (
            leg.is_open and leg.is_answered and leg.agreement is not None
            and leg.media is not None and leg.media.remote is not None and leg.media.final is None
        )  # fmt: skip

    @property
    def _rate_hz(self) -> int:
        return rate_of(self._call.caller.agreed.audio.key)

    @property
    def _now(self) -> float:
        return self._call.services.loop.time()


@dataclass(slots=True)
class Waiting:
    """A call in a queue. `offers` are the agents rung for it, by name."""

    queue: "QueueManner"
    since: float  # when its waiting began, by the loop's clock: its place
    entered: float  # when it came into this queue: later behind a transfer or an overflow
    audio: HoldAudio
    by: str = "hung_up"  # why it would be leaving, if it left now
    is_offered_callback: bool = False
    offers: dict[str, "Offer"] = field(default_factory=dict)


# ---- pieces of audio ----


@lru_cache(maxsize=16)
def silence(rate_hz: int, ms: int) -> PreparedAudio:
    return PreparedAudio(rate_hz, bytes(2 * rate_hz * ms // 1000))


@lru_cache(maxsize=32)
def faded_in(tune: PreparedAudio, at_ms: int) -> PreparedAudio:
    """The rest of the music from there, its first moment louder and louder."""
    piece = _piece(tune, at_ms, tune.duration_ms - at_ms).astype(np.float64)
    edge = min(len(piece), tune.rate_hz * FADE_MS // 1000)
    piece[:edge] *= np.linspace(0.0, 1.0, edge)
    return PreparedAudio(tune.rate_hz, piece.astype(np.int16).tobytes())


def continued(tune: PreparedAudio, at_ms: int) -> list[PreparedAudio]:
    """The music from there on, and again and again, for a long time."""
    times = min(MOST_PIECES, ENOUGH_MS // max(1, tune.duration_ms) + 1)
    return [faded_in(tune, at_ms), *[tune] * times]


def _piece(tune: PreparedAudio, at_ms: int, ms: int) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    samples = np.frombuffer(tune.samples, np.int16)
    at = at_ms * tune.rate_hz // 1000 % len(samples)
    return np.take(samples, np.arange(at, at + ms * tune.rate_hz // 1000), mode="wrap")
