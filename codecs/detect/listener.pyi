from typing import Generic, TypeVar

from typing_extensions import Buffer

Report = TypeVar("Report")

class Listener(Generic[Report]):
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

    def feed(self, samples: Buffer) -> list[Report]: ...
    def finish(self) -> list[Report]: ...
