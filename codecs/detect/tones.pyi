from typing import NamedTuple

from typing_extensions import Buffer

from santral.codecs.detect.listener import Listener

TONE_NAMES: dict[int, str]

class ToneReport(NamedTuple):
    kind: str
    ended: bool
    start: int
    end: int
    hz: tuple[float, ...]
    reversals: int

class ToneDetector(Listener[ToneReport]):
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

def tones(samples: Buffer) -> list[ToneReport]: ...
