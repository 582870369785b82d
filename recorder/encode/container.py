"""FLAC, Opus and MP3 through PyAV, and the table of all formats."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import av
import numpy as np
from av.error import FFmpegError

from santral.recorder.encode.files import NewFile
from santral.recorder.encode.wav import ALAW, PCM, ULAW, Samples, WavFile

OPUS_BIT_RATE: Final = 24_000  # a channel; speech is transparent from about 20,000 on
MP3_BIT_RATE: Final = 32_000


class EncodeError(Exception):
    """The encoder refused; not a fault of the disk, which is an `OSError`."""


class Encoding(Protocol):
    """A file while it is written."""

    def write(self, samples: Samples) -> None: ...
    def finish(self, metadata: Mapping[str, str]) -> None: ...
    def abandon(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Format:
    """How one of the formats is made. `codec` is FFmpeg's name, or "" for WAV with its `code`."""

    extension: str
    codec: str = ""
    container: str = ""
    sample: str = "s16"
    bit_rate: int = 0  # of one channel
    rates: tuple[int, ...] = ()  # empty: any
    code: int = PCM

    def open(self, file: NewFile, draft: NewFile | None, rate_hz: int, channels: int) -> Encoding:
        """`draft` holds a first version where the format `needs_draft`."""
        if draft is None:
            return WavFile(file, rate_hz, channels, self.code)
        return ContainerFile(self, file, draft, rate_hz, channels)

    @property
    def needs_draft(self) -> bool:
        return bool(self.codec)


FORMATS: Final = {
    "wav": Format("wav"),
    "wav-alaw": Format("wav", code=ALAW),
    "wav-ulaw": Format("wav", code=ULAW),
    "flac": Format("flac", "flac", "flac"),
    "opus": Format("opus", "libopus", "ogg", "s16", OPUS_BIT_RATE, (8000, 16000, 24000, 48000)),
    "mp3": Format("mp3", "libmp3lame", "mp3", "s16p", MP3_BIT_RATE, (8000, 16000, 24000, 44100, 48000)),
}


class ContainerFile:
    """One stream in a container of FFmpeg's.

    What is said of the recording is known at the end only, while these formats want it at the front: the
    finished packets are then copied once, as they are.
    """

    def __init__(self, made: Format, file: NewFile, draft: NewFile, rate_hz: int, channels: int) -> None:
        self.made, self.file, self.draft, self.rate_hz = made, file, draft, rate_hz
        self.layout = "mono" if channels == 1 else "stereo"
        self.at = 0
        rate = rate_hz if not made.rates else min((r for r in made.rates if r >= rate_hz), default=made.rates[-1])
        self.resampler = av.AudioResampler(format=made.sample, layout=self.layout, rate=rate)
        self.output: Any
        self.stream: Any
        try:
            self.output = av.open(draft, "w", format=made.container)
            self.stream = self.output.add_stream(made.codec, rate=rate, layout=self.layout, format=made.sample)
        except (FFmpegError, ValueError) as problem:
            raise trouble(problem) from None
        if made.bit_rate:
            self.stream.bit_rate = made.bit_rate * channels

    def write(self, samples: Samples) -> None:
        flat = np.ascontiguousarray(samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(flat, format="s16", layout=self.layout)
        frame.sample_rate = self.rate_hz
        frame.pts = self.at
        self.at += len(samples)
        try:
            for piece in self.resampler.resample(frame):
                self.output.mux(self.stream.encode(piece))
        except FFmpegError as problem:
            raise trouble(problem) from None

    def finish(self, metadata: Mapping[str, str]) -> None:
        try:
            for piece in self.resampler.resample(None):
                self.output.mux(self.stream.encode(piece))
            self.output.mux(self.stream.encode(None))
            self.output.close()
            self.tag(metadata)
        except FFmpegError as problem:
            raise trouble(problem) from None

    def tag(self, metadata: Mapping[str, str]) -> None:
        self.draft.seek(0)
        with av.open(self.draft, "r") as source, av.open(self.file, "w", format=self.made.container) as target:
            copied = target.add_stream_from_template(source.streams.audio[0])
            for to in (target.metadata, copied.metadata):
                to.update(metadata)
            for packet in source.demux(source.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = copied
                    target.mux(packet)

    def abandon(self) -> None:
        with contextlib.suppress(FFmpegError, OSError):
            self.output.close()


def trouble(problem: Exception) -> Exception:
    """FFmpeg's word for it as ours: what the system refused stays an OSError with its number."""
    number = getattr(problem, "errno", None)
    if isinstance(problem, OSError) and isinstance(number, int) and 0 < number < 200:
        return OSError(number, problem.strerror or str(problem))
    return EncodeError(str(problem))
