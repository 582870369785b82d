"""The wave as a few thousand points: for players (JSON of BBC audiowaveform, version 2) and for a picture.

Memory is bounded: when there are too many points, two become one.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

POINTS_MAX: Final = 12_000  # of one channel
FINEST: Final = 20  # points a second


class Peaks:
    """Least and greatest samples of each stretch of one track."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self.rate_hz, self.channels = rate_hz, channels
        self.frames_per_point = rate_hz // FINEST
        self.points: list[NDArray[np.int16]] = []  # each [points, channels, 2]
        self.count = 0
        self.rest = np.zeros((0, channels), np.int16)

    def add(self, samples: NDArray[np.int16]) -> None:
        """Frames [n, channels]."""
        samples = np.concatenate([self.rest, samples]) if len(self.rest) else samples
        whole = len(samples) // self.frames_per_point
        self.rest = samples[whole * self.frames_per_point :].copy()
        if whole:
            cut = samples[: whole * self.frames_per_point].reshape(whole, self.frames_per_point, self.channels)
            self.points.append(np.stack([cut.min(axis=1), cut.max(axis=1)], axis=2))
            self.count += whole
        while self.count > POINTS_MAX:
            self.halve()

    def halve(self) -> None:
        points = self.all()
        even = points[: len(points) // 2 * 2].reshape(-1, 2, self.channels, 2)
        last = points[-1:] if len(points) % 2 else points[:0]  # too long by less than a point: stays as it is
        merged = np.stack([even[..., 0].min(axis=1), even[..., 1].max(axis=1)], axis=2)
        self.points = [np.concatenate([merged, last])]
        self.count = len(self.points[0])
        self.frames_per_point *= 2

    def all(self) -> NDArray[np.int16]:
        """[points, channels, least and greatest]"""
        return np.concatenate(self.points) if self.points else np.zeros((0, self.channels, 2), np.int16)

    def finish(self) -> None:
        if len(self.rest):
            last = np.stack([self.rest.min(axis=0), self.rest.max(axis=0)], axis=1)[None]
            self.points.append(last)
            self.count += 1
            self.rest = self.rest[:0]

    def to_map(self) -> dict[str, Any]:
        """As audiowaveform writes it, 8 bits a value."""
        points = self.all()
        return {
            "version": 2,
            "channels": self.channels,
            "sample_rate": self.rate_hz,
            "samples_per_pixel": self.frames_per_point,
            "bits": 8,
            "length": len(points),
            "data": (points >> 8).reshape(-1).tolist(),
        }
