"""The wave as a PNG: one lane a channel, by numpy and zlib alone."""

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from santral.recorder.encode.peaks import Peaks

WIDTH: Final = 1200
LANE: Final = 120  # pixels of a channel's height
PAPER: Final = (255, 255, 255)
AXIS: Final = (214, 219, 226)
INKS: Final = ((31, 96, 166), (188, 84, 38))  # of the first channel, of the second, and so on again


def picture(peaks: Peaks, width: int = WIDTH, lane: int = LANE) -> bytes:
    """A PNG of `width` by `lane` pixels for each channel."""
    pixels = np.full((lane * peaks.channels, width, 3), PAPER, np.uint8)
    points = peaks.all()
    for channel in range(peaks.channels):
        below = lane * channel
        pixels[below + lane // 2, :] = AXIS
        draw(pixels[below : below + lane], columns(points[:, channel], width), INKS[channel % len(INKS)])
    return png(pixels)


def columns(points: NDArray[np.int16], width: int) -> NDArray[np.float64]:
    """Least and greatest of each column of pixels, from -1 to 1."""
    made = np.zeros((width, 2))
    if len(points):
        edges = np.linspace(0, len(points), width + 1).astype(int)
        for i in range(width):
            part = points[edges[i] : max(edges[i + 1], edges[i] + 1)]
            made[i] = part[:, 0].min() / 32768, part[:, 1].max() / 32768
    return made


def draw(lane: NDArray[np.uint8], extent: NDArray[np.float64], ink: tuple[int, int, int]) -> None:
    height = len(lane)
    top = np.clip(((1 - extent[:, 1]) * height / 2).astype(int), 0, height - 1)
    bottom = np.clip(((1 - extent[:, 0]) * height / 2).astype(int), 0, height - 1)
    rows = np.arange(height)[:, None]
    inside = (rows >= top) & (rows <= bottom) & (extent[:, 1] > extent[:, 0])
    lane[inside] = ink


def png(pixels: NDArray[np.uint8]) -> bytes:
    """[height, width, red green blue] as a file (ISO/IEC 15948)."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 3 * width), np.uint8)  # the first byte of each line: no filter
    lines[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    shape = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(lines.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", shape) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
