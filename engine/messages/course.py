"""How the leaving of a message goes, as a table: greeting, tone, recording, end. Facts and `now` in, what to do out; no
clock and no audio here.
"""

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final


class Phase(StrEnum):
    GREETING = "greeting"
    TONE = "tone"
    RECORDING = "recording"
    OVER = "over"


class Fact(StrEnum):
    GREETED = auto()  # the greeting has ended
    TONED = auto()  # so has the tone
    KEY = auto()  # one of those that end the message
    SILENCE = auto()  # nobody has spoken for long
    FULL = auto()  # the message is as long as it may be
    LOST = auto()  # there is no recording any more
    GONE = auto()  # the caller, by itself or to something else


class Do(StrEnum):
    SOUND_TONE = auto()
    RECORD = auto()
    FINISH = auto()  # the message is over, and the caller is still there
    STOP = auto()  # the message is over with its caller


TABLE: Final[dict[tuple[Phase, Fact], tuple[Phase, Do]]] = {  # a missing row means: ignore
    (Phase.GREETING, Fact.GREETED): (Phase.TONE, Do.SOUND_TONE),
    (Phase.GREETING, Fact.KEY): (Phase.TONE, Do.SOUND_TONE),
    (Phase.TONE, Fact.TONED): (Phase.RECORDING, Do.RECORD),
    (Phase.RECORDING, Fact.KEY): (Phase.OVER, Do.FINISH),
    (Phase.RECORDING, Fact.SILENCE): (Phase.OVER, Do.FINISH),
    (Phase.RECORDING, Fact.FULL): (Phase.OVER, Do.FINISH),
    (Phase.RECORDING, Fact.LOST): (Phase.OVER, Do.FINISH),
    **{(phase, Fact.GONE): (Phase.OVER, Do.STOP) for phase in Phase if phase is not Phase.OVER},
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `silence_s` 0: silence ends nothing."""

    max_s: float = 180.0
    min_s: float = 1.0
    silence_s: float = 5.0
    end_keys: str = "#"


class Course:
    """One message. What ended it is in `reason`, how long it is in `heard_s`."""

    def __init__(self, limits: Limits) -> None:
        self.limits: Final = limits
        self.phase = Phase.GREETING
        self.reason = ""
        self._began = self._ended = 0.0  # of the recording
        self._talk_began: float | None = None  # since when somebody speaks
        self._last_word: float | None = None

    # ---- facts ----

    def take(self, fact: Fact, now: float, reason: str = "") -> Do | None:
        """What follows from this; `reason` says it better than the fact's own name."""
        row = TABLE.get((self.phase, fact))
        if row is None:
            return None
        if self.phase is Phase.RECORDING:
            self._ended = now
            self.reason = reason or fact.value
        self.phase, do = row
        if self.phase is Phase.RECORDING:
            self._began = self._ended = now
        return do

    def press(self, key: str, now: float) -> Do | None:
        """One of the keys that end the message; during the greeting it goes on to the tone."""
        return self.take(Fact.KEY, now) if key in self.limits.end_keys else None

    def talks(self, now: float) -> None:
        """Somebody begins to speak."""
        if self._talk_began is None:
            self._talk_began = now

    def falls_silent(self, spoken_s: float, now: float) -> None:
        """Nobody speaks any more, who had spoken for so long: it is known only some time after the last word."""
        since = now if self._talk_began is None else self._talk_began
        self._talk_began = None
        self._last_word = max(min(since + spoken_s, now), self._last_word or 0.0)

    # ---- time ----

    def next_deadline(self) -> float | None:
        """When `tick` is to be called next."""
        if self.phase is not Phase.RECORDING:
            return None
        full, silence = self._began + self.limits.max_s, self._silent_at()
        return full if silence is None else min(full, silence)

    def tick(self, now: float) -> Do | None:
        """What is due."""
        if self.phase is not Phase.RECORDING:
            return None
        if now >= self._began + self.limits.max_s:
            return self.take(Fact.FULL, now)
        silence = self._silent_at()
        return None if silence is None or now < silence else self.take(Fact.SILENCE, now)

    def _silent_at(self) -> float | None:
        if not self.limits.silence_s or self._talk_began is not None:
            return None
        return max(self._began, self._last_word or self._began) + self.limits.silence_s

    # ---- what it came to ----

    @property
    def heard_s(self) -> float:
        """From the tone to the last word; 0 where nothing was said."""
        if not self.reason:
            return 0.0
        last = self._ended if self._talk_began is not None else self._last_word
        return 0.0 if last is None else max(0.0, last - self._began)

    @property
    def is_kept(self) -> bool:
        """Whether it is a message at all."""
        return bool(self.reason) and self.heard_s >= self.limits.min_s
