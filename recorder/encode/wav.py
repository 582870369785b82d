"""RIFF WAVE (RF64 above 4 GiB, EBU Tech 3306): 16-bit samples or G.711, then what is known of them."""

import struct
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from santral.codecs import CODECS
from santral.recorder.encode.files import NewFile

Samples = NDArray[np.int16]

PCM: Final = 1  # format codes of fmt
ALAW: Final = 6
ULAW: Final = 7
LAWS: Final = {ALAW: CODECS["PCMA/8000"], ULAW: CODECS["PCMU/8000"]}
UNKNOWN_LENGTH: Final = 0xFFFFFFFF  # what programs write that stream
DS64: Final = 28  # bytes of the chunk with lengths of 64 bits
HEADER_BYTES: Final = 12 + 8 + DS64 + 8 + 18 + 8
INFO: Final = {"title": b"INAM", "artist": b"IART", "date": b"ICRD", "comment": b"ICMT", "software": b"ISFT"}


def header(rate_hz: int, channels: int, code: int = PCM, data_bytes: int | None = None, behind: int = 0) -> bytes:
    """All before the samples, always HEADER_BYTES. `behind`: bytes of chunks after them; no length: not known yet."""
    width = 2 if code == PCM else 1
    shape = struct.pack("<HHIIHHH", code, channels, rate_hz, rate_hz * channels * width, channels * width, 8 * width, 0)
    size = riff = UNKNOWN_LENGTH
    name, extra = b"RIFF", b"JUNK" + struct.pack("<I", DS64) + bytes(DS64)
    if data_bytes is not None:
        total = HEADER_BYTES - 8 + data_bytes + data_bytes % 2 + behind
        if total >= UNKNOWN_LENGTH:
            name = b"RF64"
            frames = data_bytes // (channels * width)
            extra = b"ds64" + struct.pack("<IQQQI", DS64, total, data_bytes, frames, 0)
        else:
            size, riff = data_bytes, total
    head = name + struct.pack("<I", riff) + b"WAVE" + extra
    return head + b"fmt " + struct.pack("<I", len(shape)) + shape + b"data" + struct.pack("<I", size)


def info_chunk(metadata: Mapping[str, str]) -> bytes:
    """LIST INFO: what has a name there; the rest goes into the comment as `name=value`."""
    known = {name: text for name, text in metadata.items() if name in INFO}
    others = "; ".join(f"{name}={text}" for name, text in metadata.items() if name not in INFO)
    known["comment"] = "; ".join(filter(None, (known.get("comment", ""), others)))
    body = b"INFO"
    for name, text in known.items():
        raw = text.replace("\0", " ").encode() + b"\0"
        body += INFO[name] + struct.pack("<I", len(raw)) + raw + b"\0" * (len(raw) % 2)
    return b"LIST" + struct.pack("<I", len(body)) + body


class WavFile:
    """A WAV file while it is written."""

    def __init__(self, file: NewFile, rate_hz: int, channels: int, code: int = PCM) -> None:
        self.file: Final = file
        self.rate_hz, self.channels, self.code = rate_hz, channels, code
        self.bytes = 0
        file.write(header(rate_hz, channels, code))

    def write(self, samples: Samples) -> None:
        """Frames [n, channels]."""
        if self.code == PCM:
            data: bytes | memoryview = samples.astype("<i2", order="C", copy=False).data.cast("B")
        else:
            data = LAWS[self.code].encode(np.ascontiguousarray(samples).reshape(-1).view(np.uint8).data)
        self.file.write(data)
        self.bytes += len(data)

    def finish(self, metadata: Mapping[str, str]) -> None:
        behind = info_chunk(metadata)
        self.file.write(b"\0" * (self.bytes % 2) + behind)
        self.file.seek(0)
        self.file.write(header(self.rate_hz, self.channels, self.code, self.bytes, len(behind)))

    def abandon(self) -> None:
        """Nothing is held."""
