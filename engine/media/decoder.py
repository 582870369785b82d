"""The decoder process: one sound file per request line on standard input (a socket), G.711 frames back.

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

from santral.codecs import CODECS
from santral.engine.media.audio import FORMATS, FRAME_BYTES, HEADER

NICENESS: Final = 10
MAX_FILE_BYTES: Final = 512 * 1024 * 1024
MAX_AUDIO_S: Final = 3600  # 28.8 MB of G.711
MAX_MEMORY_BYTES: Final = 2 * 1024**3  # address space, libraries included
RATE_HZ: Final = 8000


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
        audio = decode(request["path"], request["folder"], request["format"], request["codec"])
    except RefusedFileError as refusal:
        return json.dumps({"error": str(refusal)}).encode(), b""
    except OSError as problem:
        return json.dumps({"error": problem.strerror or "cannot be read"}).encode(), b""
    except MemoryError:
        return json.dumps({"error": "needs too much memory"}).encode(), b""
    return json.dumps({"ok": True}).encode(), audio


def decode(path: str, folder: str, container: str, codec: str) -> bytes:
    """Raises `RefusedFileError` or `OSError`."""
    if container not in FORMATS.values():
        raise RefusedFileError(f"format {container} is not allowed")
    with open_inside(path, folder) as file:
        try:
            samples = samples_of(file, container)
        except FFmpegError as problem:
            raise RefusedFileError(f"not a readable {container} file ({problem.strerror})") from None
    frames = CODECS[f"{codec}/8000"].encode(samples)
    silence = CODECS[f"{codec}/8000"].encode(b"\0\0")
    return frames + silence * (-len(frames) % FRAME_BYTES)


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


def samples_of(file: BinaryIO, container: str) -> bytes:
    """The first audio stream as 16-bit mono at 8 kHz, native byte order."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    pcm = bytearray()
    with av.open(file, mode="r", format=container) as source:
        if not source.streams.audio:
            raise RefusedFileError("no audio in it")
        for frame in source.decode(source.streams.audio[0]):
            for piece in resampler.resample(frame):
                take(piece, pcm)
        for piece in resampler.resample(None):
            take(piece, pcm)
    if not pcm:
        raise RefusedFileError("no audio in it")
    return bytes(pcm)


def take(piece: Any, pcm: bytearray) -> None:
    pcm += bytes(piece.planes[0])[: piece.samples * 2]
    if len(pcm) > MAX_AUDIO_S * RATE_HZ * 2:
        raise RefusedFileError(f"longer than {MAX_AUDIO_S // 60} minutes")


if __name__ == "__main__":
    main()
