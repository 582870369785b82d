"""The decoder process: one sound file per request line on standard input (a socket), samples back.

It runs apart from the engine because media libraries parse hostile bytes: a crash, a hang or a memory bomb here ends
one request. Formats are forced, never probed; the file is opened once and must lie in the folder named with it.
"""

import json
import os
import resource
import socket
import stat
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
from av.error import FFmpegError

from santral.engine.media.audio import FORMATS, HEADER, RATES_HZ, SAMPLE_BYTES

NICENESS: Final = 10
MAX_FILE_BYTES: Final = 512 * 1024 * 1024
MAX_AUDIO_S: Final = 3600  # 57.6 MB at 8 kHz
MAX_MEMORY_BYTES: Final = 2 * 1024**3  # address space, libraries included


class RefusedFileError(Exception):
    """Why a file is not played, as the user will read it."""


def main() -> None:
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    with socket.socket(fileno=os.dup(0)) as engine, engine.makefile("rb") as requests:
        for line in requests:
            head, audio = answer(json.loads(line))
            engine.sendall(HEADER.pack(len(head), len(audio)) + head + audio)


def answer(request: dict[str, str]) -> tuple[bytes, bytes]:
    try:
        audio = decode(request["path"], request["folder"], request["format"], int(request["rate"]))
    except RefusedFileError as refusal:
        return json.dumps({"error": str(refusal)}).encode(), b""
    except OSError as problem:
        return json.dumps({"error": problem.strerror or "cannot be read"}).encode(), b""
    except MemoryError:
        return json.dumps({"error": "needs too much memory"}).encode(), b""
    return json.dumps({"ok": True}).encode(), audio


def decode(path: str, folder: str, container: str, rate_hz: int) -> bytes:
    """Raises `RefusedFileError` or `OSError`."""
    if container not in FORMATS.values():
        raise RefusedFileError(f"format {container} is not allowed")
    if rate_hz not in RATES_HZ:
        raise RefusedFileError(f"not prepared at {rate_hz} Hz")
    with open_inside(path, folder) as file:
        try:
            return samples_of(file, container, rate_hz)
        except FFmpegError as problem:
            raise RefusedFileError(f"not a readable {container} file ({problem.strerror})") from None


def open_inside(path: str, folder: str) -> BinaryIO:
    """The check is on the opened file, so that nobody can swap it afterwards."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        real = os.readlink(f"/proc/self/fd/{descriptor}")
        state = os.fstat(descriptor)
        if not Path(real).is_relative_to(folder):
            raise RefusedFileError("outside the sound folder")
        if not stat.S_ISREG(state.st_mode):
            raise RefusedFileError("not a regular file")
        if state.st_size > MAX_FILE_BYTES:
            raise RefusedFileError(f"larger than {MAX_FILE_BYTES // 1024**2} MiB")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def samples_of(file: BinaryIO, container: str, rate_hz: int) -> bytes:
    """The first audio stream as 16-bit mono, native byte order."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
    pcm = bytearray()
    with av.open(file, mode="r", format=container) as source:
        if not source.streams.audio:
            raise RefusedFileError("no audio in it")
        for frame in source.decode(source.streams.audio[0]):
            for piece in resampler.resample(frame):
                take(piece, pcm, rate_hz)
        for piece in resampler.resample(None):
            take(piece, pcm, rate_hz)
    if not pcm:
        raise RefusedFileError("no audio in it")
    return bytes(pcm)


def take(piece: Any, pcm: bytearray, rate_hz: int) -> None:
    pcm += bytes(piece.planes[0])[: piece.samples * SAMPLE_BYTES]
    if len(pcm) > MAX_AUDIO_S * rate_hz * SAMPLE_BYTES:
        raise RefusedFileError(f"longer than {MAX_AUDIO_S // 60} minutes")


if __name__ == "__main__":
    main()
