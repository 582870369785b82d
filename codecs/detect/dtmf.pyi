from typing import NamedTuple

from typing_extensions import Buffer

from santral.codecs.detect.listener import Listener

class Digit(NamedTuple):
    digit: str
    start: int
    end: int
    low_dbm0: float
    high_dbm0: float

class Report(NamedTuple):
    kind: str
    digit: str
    start: int
    end: int
    low_dbm0: float
    high_dbm0: float

class DtmfDetector(Listener[Report]):
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

    @property
    def is_suspected(self) -> bool: ...

def digits(samples: Buffer) -> list[Digit]: ...
