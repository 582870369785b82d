"""`analyse`: the engine's own detectors over audio files, each channel for itself, in constant memory.

The files are the user's own, so they are decoded in this process, unlike those that calls play. Only files are opened.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import av
import typer
from av.error import FFmpegError

from santral.codecs.detect.dtmf import DtmfDetector
from santral.codecs.detect.dtmf import Report as DtmfReport
from santral.codecs.detect.tones import ToneDetector, ToneReport
from santral.codecs.detect.voice import VoiceDetector, VoiceReport

RATE_HZ: Final = 8000  # of the detectors
MS: Final = RATE_HZ // 1000
SAMPLE_BYTES: Final = 2
RAW: Final = {".al": "alaw", ".alaw": "alaw", ".ul": "mulaw", ".ulaw": "mulaw", ".g722": "g722", ".gsm": "gsm"}
FILES_ONLY: Final = {"protocol_whitelist": "file"}  # whatever a play list names
Findings = dict[str, Any]


class UnreadableError(Exception):
    """Why a file cannot be analysed."""


def analyse(files: Sequence[Path], *, dtmf: bool, tones: bool, vad: bool) -> None:
    """Print a line of JSON for each file, or for each of its channels; of all detectors if none is named."""
    if not (dtmf or tones or vad):
        dtmf = tones = vad = True
    failed = False
    for file in files:
        try:
            for findings in heard_in(file, dtmf=dtmf, tones=tones, vad=vad):
                typer.echo(json.dumps({"file": str(file)} | findings, ensure_ascii=False))
        except UnreadableError as problem:
            failed = True
            sys.stderr.write(f"santral: {file}: {problem}\n")
    if failed:
        raise typer.Exit(1)


def heard_in(path: Path, *, dtmf: bool, tones: bool, vad: bool) -> list[Findings]:
    """What each channel holds; with more than one, each says which it is, from 1. Raises `UnreadableError`."""
    ears: list[Ear] = []
    try:
        for channels in pieces(path):
            ears = ears or [Ear(dtmf=dtmf, tones=tones, vad=vad) for _ in channels]
            for ear, samples in zip(ears, channels, strict=True):
                ear.hear(samples)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as problem:
        raise UnreadableError(problem.strerror) from None
    except FFmpegError as problem:
        raise UnreadableError(f"not readable as audio ({problem.strerror})") from None
    if not ears:
        raise UnreadableError("no audio in it")
    if len(ears) == 1:
        return [ears[0].findings()]
    return [{"channel": number} | ear.findings() for number, ear in enumerate(ears, 1)]


def pieces(path: Path) -> Iterator[list[bytes]]:
    """The first audio stream at the detectors' rate, piece by piece: 16-bit samples of each channel."""
    resampler = av.AudioResampler(format="s16p", rate=RATE_HZ)
    container = RAW.get(path.suffix.lower())
    raw = {"sample_rate": str(RATE_HZ)} if container in {"alaw", "mulaw"} else {}
    with av.open(f"file:{path}", mode="r", format=container, options=FILES_ONLY | raw) as source:
        if not source.streams.audio:
            raise UnreadableError("no audio in it")
        for frame in source.decode(source.streams.audio[0]):
            yield from map(planes_of, resampler.resample(frame))
        yield from map(planes_of, resampler.resample(None))


def planes_of(piece: Any) -> list[bytes]:
    return [bytes(plane)[: piece.samples * SAMPLE_BYTES] for plane in piece.planes]


class Ear:
    """The detectors of one channel, and what they have said."""

    def __init__(self, *, dtmf: bool, tones: bool, vad: bool) -> None:
        self.dtmf = DtmfDetector() if dtmf else None
        self.tones = ToneDetector() if tones else None
        self.voice = VoiceDetector() if vad else None
        self.digits: list[DtmfReport] = []
        self.sounds: list[ToneReport] = []
        self.turns: list[VoiceReport] = []

    def hear(self, samples: bytes) -> None:
        if self.dtmf:
            self.digits += self.dtmf.feed(samples)
        if self.tones:
            self.sounds += self.tones.feed(samples)
        if self.voice:
            self.turns += self.voice.feed(samples)

    def findings(self) -> Findings:
        """What was heard, by the names of the contract; the stream has ended."""
        found: Findings = {}
        if self.dtmf:
            ended = [each for each in self.digits + self.dtmf.finish() if each.kind == "up"]
            found["dtmf"] = "".join(each.digit for each in ended)
            found["digits"] = [{"digit": each.digit} | span(each.start, each.end) for each in ended]
        if self.tones:
            over = [each for each in self.sounds + self.tones.finish() if each.ended]
            found["tones"] = [tone(each) for each in over]
        if self.voice:
            times = [each.at // MS for each in self.turns + self.voice.finish()]
            found["speech"] = [list(turn) for turn in zip(times[::2], times[1::2], strict=True)]
        return found


def span(start: int, end: int) -> dict[str, int]:
    return {"at_ms": round(start / MS), "ms": round((end - start) / MS)}


def tone(report: ToneReport) -> Findings:
    found: Findings = {"tone": report.kind} | span(report.start, report.end) | {"hz": list(report.hz)}
    return found | ({"reversals": report.reversals} if report.reversals else {})
