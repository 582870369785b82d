"""The tones of a tenant's country, as sounds that can be played over and over."""

from functools import lru_cache
from typing import Final

from santral.codecs.generate.score import Score, ScorePlayer
from santral.codecs.tones import FOREVER, TONES, Tone
from santral.engine.media import PreparedAudio

NETWORKS: Final = {"TR": "tr", "GB": "uk", "US": "us", "CA": "us"}
ELSEWHERE: Final = "eu"
STEADY_MS: Final = 1000  # of a tone without end: whole periods of every whole frequency, so that it joins itself


def tone_of(country: str | None, name: str) -> Tone:
    """The tone of this name ("ringback", "busy", "beep" …) as the country's network has it."""
    return TONES[NETWORKS.get(country or "", ELSEWHERE)][name]


@lru_cache(maxsize=64)
def rendered(tone: Tone, rate_hz: int) -> PreparedAudio:
    """One round of its bursts."""
    ms = sum(STEADY_MS if burst.ms == FOREVER else burst.ms for burst in tone.bursts)
    return PreparedAudio(rate_hz, ScorePlayer(Score.tone(tone, sample_hz=rate_hz)).render(ms * rate_hz // 1000))
