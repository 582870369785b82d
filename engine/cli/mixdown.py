"""`mixdown`: capture files to audio, with nothing else running. Captures stay as they are."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import typer

from santral.engine.cli.archive import settings_of
from santral.engine.cli.failure import Failure
from santral.recorder.capture import CaptureError, CaptureFile, Unwrap, is_being_written
from santral.recorder.encode import FORMATS, EncodeError, Written, save
from santral.recorder.keys import Keyring, KeysError, WrappingKey
from santral.recorder.mixdown import Mixdown, Options

DEFAULT_FORMAT: Final = "wav"


def mixdown(
    captures: Sequence[Path],
    output: Path | None,
    options: Options,
    format_name: str | None,
    *,
    unwrap: Unwrap | None = None,
    peaks: bool = False,
    picture: bool = False,
) -> None:
    """Captures of one recording make one file; of several, a file for each, named after the recording."""
    if format_name is not None and format_name not in FORMATS:
        raise Failure(f"no format {format_name!r}: there are {', '.join(FORMATS)}", 2)
    try:
        with ExitStack() as opened:
            recordings: dict[str, list[CaptureFile]] = {}
            for path in captures:
                capture = opened.enter_context(CaptureFile(path, unwrap))
                recordings.setdefault(capture.header.recording, []).append(capture)
            if output is not None and len(recordings) > 1:
                raise Failure(f"these are captures of {len(recordings)} recordings: -o names one file", 2)
            for recording, files in recordings.items():
                beside = files[0].path.with_name(f"{recording}.{extension(format_name or DEFAULT_FORMAT)}")
                path = output or beside
                name = format_name or format_of(path)
                mix = Mixdown(files, options)
                for written in save(mix, path.parent, stem_of(path, name), name, peaks=peaks, picture=picture):
                    typer.echo(line(written))
                say_what_is_missing(mix, [file.path for file in files])
    except (OSError, CaptureError, EncodeError, KeysError) as problem:
        raise Failure(str(problem)) from None


def unwrapping(key_file: Path | None, config: Path | None) -> Unwrap:
    """How the keys of captures are opened. The configuration is read only when one is encrypted."""
    if key_file is not None:
        return keys_of(key_file)

    def unwrap(tenant: str, recording: str, wrapped: bytes) -> bytes:
        return settings_of(config).unwrap(tenant, recording, wrapped)

    return unwrap


def keys_of(path: Path) -> Unwrap:
    """Wrapping keys, one a line: the tenant's, whoever it is."""
    try:
        keys = [WrappingKey.parse(text) for text in path.read_text().splitlines() if text.strip()]
    except (OSError, ValueError, KeysError) as problem:
        raise Failure(f"{path}: {problem}") from None

    def unwrap(tenant: str, recording: str, wrapped: bytes) -> bytes:
        return Keyring({tenant: keys}).unwrap(tenant, recording, wrapped).capture()

    return unwrap


def extension(name: str) -> str:
    return FORMATS[name].extension


def format_of(path: Path) -> str:
    """By the name's ending."""
    for name, made in FORMATS.items():
        if path.suffix.lower() == f".{made.extension}":
            return name
    endings = ", ".join(dict.fromkeys(f".{made.extension}" for made in FORMATS.values()))
    raise Failure(f"{path}: what format is that? Name it by --format, or by one of {endings}", 2)


def stem_of(path: Path, name: str) -> str:
    """`save` adds the ending itself."""
    if path.suffix.lower() != f".{extension(name)}":
        raise Failure(f"{path}: files of this format end in .{extension(name)}", 2)
    return path.stem


def line(written: Written) -> str:
    shape = f"{written.seconds:.2f} s, {written.rate_hz} Hz, {written.channels} channel{'s' * (written.channels > 1)}"
    return f"{written.path}: {written.format}, {shape}"


def say_what_is_missing(mix: Mixdown, captures: Sequence[Path]) -> None:
    """What the audio cannot tell: a capture that was cut or damaged."""
    summary = mix.summary
    if any(is_being_written(path) for path in captures):
        sys.stderr.write(f"santral: recording {summary.recording} is still being made: this is what there was\n")
    elif summary.recovered:
        sys.stderr.write(f"santral: recording {summary.recording} was cut: all that was captured is there\n")
    for damage in summary.damage:
        sys.stderr.write(f"santral: recording {summary.recording}: {damage}\n")
