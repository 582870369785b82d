from santral.codecs.tones import Tone

MAX_DIGITS: int

class Score:
    """Digits or a tone as sines in turn. Immutable once made."""

    sample_hz: int
    @staticmethod
    def digits(
        text: str,
        *,
        sample_hz: int = 8000,
        tone_ms: float = 100,
        gap_ms: float = 100,
        low_dbm0: float = -9,
        high_dbm0: float = -7,
    ) -> Score: ...
    @staticmethod
    def tone(tone: Tone, *, sample_hz: int = 8000, dbm0: float | None = None) -> Score: ...
    @property
    def ms(self) -> float | None: ...

class ScorePlayer:
    """A score read from its beginning: for offline use and for tests."""

    def __init__(self, score: Score) -> None: ...
    def render(self, samples: int) -> bytes: ...
    def release(self) -> None: ...
