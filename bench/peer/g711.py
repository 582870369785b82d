"""G.711 (ITU-T) by tables, for the bench's peers: written apart from `santral.codecs`, so each checks the other."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

PCMU_PAYLOAD_TYPE: Final = 0  # RFC 3551 table 4
PCMA_PAYLOAD_TYPE: Final = 8
PAYLOAD_TYPES: Final = {"PCMU": PCMU_PAYLOAD_TYPE, "PCMA": PCMA_PAYLOAD_TYPE}
SILENCE: Final = {"PCMU": 0xFF, "PCMA": 0xD5}


def _mu_law_values() -> NDArray[np.int32]:
    code = ~np.arange(256) & 0xFF
    segment, step = code >> 4 & 7, code & 15
    magnitude = ((2 * step + 33) << (segment + 2)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int32)


def _a_law_values() -> NDArray[np.int32]:
    code = np.arange(256) ^ 0x55
    segment, step = code >> 4 & 7, code & 15
    magnitude = np.where(segment == 0, 2 * step + 1 << 3, 2 * step + 33 << np.maximum(segment, 1) + 2)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int32)


VALUES: Final = {"PCMU": _mu_law_values(), "PCMA": _a_law_values()}


def decode(wire: bytes, codec: str) -> NDArray[np.int16]:
    """One linear 16-bit sample per byte."""
    return VALUES[codec][np.frombuffer(wire, np.uint8)].astype(np.int16)


def encode(samples: NDArray[np.int16], codec: str) -> bytes:
    """The code whose value lies nearest; a tie goes to the smaller value."""
    values = VALUES[codec]
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    borders = (ascending[1:] + ascending[:-1]) / 2
    return bytes(order[np.searchsorted(borders, samples.astype(np.int32))].astype(np.uint8).tobytes())
