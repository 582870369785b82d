from typing import NamedTuple

from typing_extensions import Buffer

TONE_NAMES: dict[int, str]

class ToneReport(NamedTuple):
    kind: str
    ended: bool
    start: int
    end: int
    hz: tuple[float, ...]
    reversals: int

class ToneDetector:
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

    def feed(self, samples: Buffer) -> list[ToneReport]: ...
    def finish(self) -> list[ToneReport]: ...

def tones(samples: Buffer) -> list[ToneReport]: ...
