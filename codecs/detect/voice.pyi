from typing import NamedTuple

from typing_extensions import Buffer

from santral.codecs.detect.listener import Listener

class VoiceReport(NamedTuple):
    kind: str
    at: int

class VoiceDetector(Listener[VoiceReport]):
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

    def __init__(self, hangover_ms: int = 300) -> None: ...
    @property
    def is_speech(self) -> bool: ...
    @property
    def level_dbov(self) -> float: ...
    @property
    def floor_dbov(self) -> float: ...

def level(samples: Buffer) -> float: ...
def speech(samples: Buffer, hangover_ms: int = 300) -> list[tuple[int, int]]: ...
