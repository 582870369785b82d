"""One pass over a mixdown makes every file of it. None has its name before it is whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np

from santral.recorder.encode.container import FORMATS, EncodeError, Encoding, Format
from santral.recorder.encode.peaks import Peaks
from santral.recorder.encode.picture import picture as drawn
from santral.recorder.encode.wav import Samples
from santral.recorder.mixdown import Mixdown, Summary, TrackInfo

UNFINISHED: Final = ".part"
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
) -> list[Written]:
    """Mix to the end of the captures, and write `<stem>.<ext>` and what else is wished for.

    Raises `OSError` (disk full, folder gone), `EncodeError`, and what reading captures raises: then nothing is left.
    """
    if format not in FORMATS:
        raise EncodeError(f"no format {format!r}: there are {', '.join(FORMATS)}")
    made = FORMATS[format]
    strands: dict[str, Strand] = {}
    finished: list[tuple[Path, Path]] = []
    try:
        for piece in mix.pieces():
            name = piece.track.name
            if name not in strands:
                strands[name] = opened(mix, piece.track, folder / named(stem, name, made), made, wants=peaks or picture)
            strands[name].write(piece.samples, piece.at)
        for info in mix.tracks:  # of which nothing was ever handed out: an empty file is one too
            if info.name not in strands:
                path = folder / named(stem, info.name, made)
                strands[info.name] = opened(mix, info, path, made, wants=peaks or picture)
        for strand in strands.values():
            strand.file.finish(described(mix.summary, metadata or {}, strand.info.name))
            finished.append((part_of(strand.path), strand.path))
        written = [audio(mix, strand, format) for strand in strands.values()]
        for shown in extras(mix, strands, folder, stem, peaks=peaks, picture=picture):
            finished.append((part_of(shown.path), shown.path))
            written.append(shown)
        for part, path in finished:
            part.replace(path)
    except BaseException:
        for strand in strands.values():
            strand.file.abandon()
        for path in [folder / f"{stem}.{made.extension}", *(s.path for s in strands.values())]:
            part_of(path).unlink(missing_ok=True)
        for extension in ("json", "png"):
            part_of(folder / f"{stem}.{extension}").unlink(missing_ok=True)
        raise
    return written


def opened(mix: Mixdown, info: TrackInfo, path: Path, made: Format, *, wants: bool) -> Strand:
    file = made.open(part_of(path), mix.rate_hz, info.channels)
    return Strand(info, path, file, Peaks(mix.rate_hz, info.channels) if wants and not info.name else None)


def named(stem: str, track: str, made: Format) -> str:
    plain = "".join(letter if letter in PLAIN else "_" for letter in track)
    return f"{stem}-{plain}.{made.extension}" if track else f"{stem}.{made.extension}"


def part_of(path: Path) -> Path:
    return path.with_name(path.name + UNFINISHED)


def audio(mix: Mixdown, strand: Strand, format: str) -> Written:  # noqa: A002
    kind: Kind = "track" if strand.info.name else "audio"
    seconds = strand.frames / mix.rate_hz
    return Written(strand.path, kind, format, seconds, strand.info.channels, mix.rate_hz, strand.info.name)


def extras(
    mix: Mixdown, strands: Mapping[str, Strand], folder: Path, stem: str, *, peaks: bool, picture: bool
) -> list[Written]:
    strand = strands[""]
    if strand.peaks is None:
        return []
    strand.peaks.finish()
    made = []
    seconds = strand.frames / mix.rate_hz
    if peaks:
        path = folder / f"{stem}.json"
        part_of(path).write_text(json.dumps(strand.peaks.to_map(), separators=(",", ":")))
        made.append(Written(path, "peaks", "json", seconds, strand.info.channels, mix.rate_hz))
    if picture:
        path = folder / f"{stem}.png"
        part_of(path).write_bytes(drawn(strand.peaks))
        made.append(Written(path, "picture", "png", seconds, strand.info.channels, mix.rate_hz))
    return made


def described(summary: Summary, metadata: Mapping[str, str], track: str = "") -> dict[str, str]:
    """What goes into a file: what players show, and whatever the caller adds or knows better."""
    said = [each for each in summary.streams if each.get("side") != "heard"]
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
