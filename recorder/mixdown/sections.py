"""Times that notes of a capture begin and end: paused, masked, held, connected. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SOFTENED_S: Final = 0.004  # where audio was cut out, both ends go to nothing and come back

Samples = NDArray[np.int16]


@dataclass(slots=True)
class Section:
    """From one place of the timeline to another; open while nobody knows where it ends."""

    what: str
    start: int
    end: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def until(self, latest: int) -> int:
        return latest if self.end is None else min(self.end, latest)


@dataclass(slots=True)
class Cuts:
    """What is left out of the audio. Sections come in order and do not overlap."""

    sections: list[Section] = field(default_factory=list)

    def begin(self, place: int) -> None:
        if not self.sections or self.sections[-1].end is not None:
            self.sections.append(Section("cut", max(place, self.sections[-1].end or 0) if self.sections else place))

    def finish(self, place: int) -> None:
        if self.sections and self.sections[-1].end is None:
            self.sections[-1].end = max(place, self.sections[-1].start)

    def before(self, place: int) -> int:
        """How many frames are left out before this place."""
        return sum(max(0, cut.until(place) - cut.start) for cut in self.sections if cut.start < place)

    def kept(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of this stretch that stay."""
        at = start
        for cut in self.sections:
            first, last = cut.start, cut.until(end)
            if last <= at or first >= end:
                continue
            if first > at:
                yield at, first
            at = max(at, last)
        if at < end:
            yield at, end

    def apply(self, samples: Samples, start: int, hz: int) -> Samples:
        """Without what is left out of these frames, the first of which is at `start`."""
        end = start + len(samples)
        fade = round(SOFTENED_S * hz)
        near = [cut for cut in self.sections if cut.start < end + fade and cut.until(end) > start - fade]
        if not near:
            return samples
        gain = np.ones(len(samples))
        places = np.arange(start, end) + 0.5
        for cut in near:
            before = (places >= cut.start - fade) & (places < cut.start)
            gain[before] *= (cut.start - places[before]) / fade
            if cut.end is not None:
                after = (places >= cut.end) & (places < cut.end + fade)
                gain[after] *= (places[after] - cut.end) / fade
        samples = np.asarray(samples * gain[:, None], np.int16)
        parts = [samples[a - start : b - start] for a, b in self.kept(start, end)]
        return np.concatenate(parts) if parts else samples[:0]
