"""One pass over a mixdown makes every file of it. None has its name before it is whole."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np

from santral.recorder.encode.container import FORMATS, EncodeError, Encoding, Format
from santral.recorder.encode.files import DRAFT, Create, PartFile
from santral.recorder.encode.peaks import Peaks
from santral.recorder.encode.picture import picture as drawn
from santral.recorder.encode.wav import Samples
from santral.recorder.mixdown import Mixdown, Summary, TrackInfo

PADDING_FRAMES: Final = 1 << 16
PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+@")
Kind = Literal["audio", "track", "peaks", "picture"]


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was made. `track` is empty for what shows the mix."""

    path: Path
    kind: Kind
    format: str
    seconds: float
    channels: int
    rate_hz: int
    track: str = ""


@dataclass(slots=True)
class Strand:
    """One track on its way into its files."""

    info: TrackInfo
    path: Path
    file: Encoding
    peaks: Peaks | None
    frames: int = 0

    def write(self, samples: Samples, at: int) -> None:
        """Who joins late is silent before."""
        while self.frames < at:
            n = min(at - self.frames, PADDING_FRAMES)
            self.put(np.zeros((n, self.info.channels), np.int16))
        self.put(samples)

    def put(self, samples: Samples) -> None:
        self.file.write(samples)
        if self.peaks is not None:
            self.peaks.add(samples)
        self.frames += len(samples)


def save(
    mix: Mixdown,
    folder: Path,
    stem: str,
    format: str = "wav",  # noqa: A002 - as everybody calls it
    *,
    metadata: Mapping[str, str] | None = None,
    peaks: bool = False,
    picture: bool = False,
    create: Create = PartFile,
) -> list[Written]:
    """Mix to the end of the captures, and write `<stem>.<ext>` and what else is wished for.

    Every file is made by `create`, and left normally only when all of them are whole. Raises `OSError` (disk full,
    folder gone), `EncodeError`, and what reading captures raises: then all are left by that exception.
    """
    if format not in FORMATS:
        raise EncodeError(f"no format {format!r}: there are {', '.join(FORMATS)}")
    press = Press(mix, folder, stem, format, create)
    with ExitStack() as files:
        strands: dict[str, Strand] = {}
        for piece in mix.pieces():
            if piece.track.name not in strands:
                strands[piece.track.name] = press.strand(piece.track, files, wants_peaks=peaks or picture)
            strands[piece.track.name].write(piece.samples, piece.at)
        for info in mix.tracks:  # of which nothing was ever handed out: an empty file is one too
            if info.name not in strands:
                strands[info.name] = press.strand(info, files, wants_peaks=peaks or picture)
        for strand in strands.values():
            strand.file.finish(described(mix.summary, metadata or {}, strand.info.name))
        written = [press.told(strand) for strand in strands.values()]
        return written + press.shown(strands[""], files, peaks=peaks, picture=picture)


@dataclass(frozen=True, slots=True)
class Press:
    """How the files of one mixdown are made."""

    mix: Mixdown
    folder: Path
    stem: str
    format: str
    create: Create

    def strand(self, info: TrackInfo, files: ExitStack, *, wants_peaks: bool) -> Strand:
        made, hz = FORMATS[self.format], self.mix.rate_hz
        path = self.folder / named(self.stem, info.name, made)
        file = files.enter_context(self.create(path))
        draft = None
        if made.needs_draft:
            draft = files.enter_context(self.create(path.with_name(path.name + DRAFT)))
            files.callback(draft.discard)
        encoding = made.open(file, draft, hz, info.channels)
        files.callback(encoding.abandon)
        return Strand(info, path, encoding, Peaks(hz, info.channels) if wants_peaks and not info.name else None)

    def told(self, strand: Strand) -> Written:
        kind: Kind = "track" if strand.info.name else "audio"
        info = strand.info
        return Written(strand.path, kind, self.format, self.seconds(strand), info.channels, self.mix.rate_hz, info.name)

    def shown(self, strand: Strand, files: ExitStack, *, peaks: bool, picture: bool) -> list[Written]:
        """What is seen of the mix."""
        if strand.peaks is None:
            return []
        strand.peaks.finish()
        made: list[Written] = []
        if peaks:
            outline = json.dumps(strand.peaks.to_map(), separators=(",", ":")).encode()
            made.append(self.put(strand, files, "peaks", "json", outline))
        if picture:
            made.append(self.put(strand, files, "picture", "png", drawn(strand.peaks)))
        return made

    def put(self, strand: Strand, files: ExitStack, kind: Kind, extension: str, data: bytes) -> Written:
        path = self.folder / f"{self.stem}.{extension}"
        files.enter_context(self.create(path)).write(data)
        return Written(path, kind, extension, self.seconds(strand), strand.info.channels, self.mix.rate_hz)

    def seconds(self, strand: Strand) -> float:
        return strand.frames / self.mix.rate_hz


def named(stem: str, track: str, made: Format) -> str:
    plain = "".join(letter if letter in PLAIN else "_" for letter in track)
    return f"{stem}-{plain}.{made.extension}" if track else f"{stem}.{made.extension}"


def described(summary: Summary, metadata: Mapping[str, str], track: str = "") -> dict[str, str]:
    """What goes into a file: what players show, and whatever the caller adds or knows better."""
    said = [each for each in summary.streams if each.get("side", "said") == "said"]
    parties = [str(each.get("party") or each.get("leg") or "") for each in said]
    known = {
        "title": f"Recording {summary.recording}" + (f", {track}" if track else ""),
        "artist": ", ".join(dict.fromkeys(filter(None, parties))),
        "date": utc_text(summary.started_utc_ns),
        "software": "Santral",
        "recording": summary.recording,
        "started": utc_text(summary.started_utc_ns),
        "ended": utc_text(summary.ended_utc_ns),
        "clock": summary.clock,
        "view": "wire",  # what each side sent, as it arrived here; not what the other heard
        "recovered": "yes" if summary.recovered else "",
    }
    return {name: text for name, text in (known | dict(metadata)).items() if text}


def utc_text(utc_ns: int) -> str:
    """2026-11-21T10:00:00.123Z"""
    at = datetime.fromtimestamp(utc_ns // 1_000_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{utc_ns // 1_000_000 % 1000:03}Z"
