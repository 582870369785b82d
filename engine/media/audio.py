"""Sound files for `play`: read, resampled and mixed down in a process apart, then kept as samples.

Only files inside the folder the caller names are read, only listed formats, only so long. A decoder that hangs, dies or
grows too large costs the one file; the next file gets a new process.
"""

import asyncio
import json
import os
import socket
import struct
import sys
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SAMPLE_BYTES: Final = 2
FORMATS: Final = {  # suffix -> container, the whole allow-list
    ".wav": "wav",
    ".flac": "flac",
    ".mp3": "mp3",
    ".ogg": "ogg",
    ".oga": "ogg",
    ".opus": "ogg",
    ".m4a": "mp4",
    ".aac": "aac",
    ".webm": "matroska",
    ".au": "au",
    ".aif": "aiff",
    ".aiff": "aiff",
}
RATES_HZ: Final = (8000, 16000, 24000, 48000)
DECODE_TIMEOUT_S: Final = 30.0
CACHE_BYTES: Final = 64 * 1024 * 1024
HEADER: Final = struct.Struct("!II")  # of a reply: length of its JSON part, length of the audio that follows


class AudioError(Exception):
    """The file cannot be played. `reason` is fit for a log line or an API answer."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PreparedAudio:
    """Samples at one rate: 16-bit mono in native byte order."""

    rate_hz: int
    samples: bytes

    @property
    def duration_ms(self) -> int:
        return len(self.samples) // SAMPLE_BYTES * 1000 // self.rate_hz


class AudioLibrary:
    """Prepares sound files and remembers the most recently used ones, up to `cache_bytes`."""

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self._cache: OrderedDict[tuple[str, int, int, int], PreparedAudio] = OrderedDict()
        self._cache_limit = cache_bytes
        self.cached_bytes = 0
        self._decoder: _Decoder | None = None
        self._turn = asyncio.Lock()  # one file at a time: the decoder is one process

    async def prepare(self, path: str | Path, rate_hz: int, allowed_folder: str | Path) -> PreparedAudio:
        """Raises `AudioError`. `rate_hz`: see `MediaLeg.sample_hz`; another rate is resampled while it plays."""
        if rate_hz not in RATES_HZ:
            raise AudioError(str(path), f"not prepared at {rate_hz} Hz")
        file = await asyncio.to_thread(_inside, path, allowed_folder)
        key = (file.path, file.state.st_mtime_ns, file.state.st_size, rate_hz)
        async with self._turn:
            if key not in self._cache:
                self._remember(key, await self._decode(file, rate_hz))
            self._cache.move_to_end(key)
            return self._cache[key]

    @property
    def decoder_pid(self) -> int | None:
        """Of the running decoder process, for reports and tests."""
        return self._decoder.pid if self._decoder else None

    async def close(self) -> None:
        async with self._turn:
            await self._discard_decoder()

    async def _decode(self, file: "_SoundFile", rate_hz: int) -> PreparedAudio:
        request = {
            "path": file.path,
            "folder": file.folder,
            "format": FORMATS[Path(file.path).suffix.lower()],
            "rate": str(rate_hz),
        }
        if self._decoder is None or not self._decoder.is_alive:
            await self._discard_decoder()
            self._decoder = await _Decoder.start()
        try:
            async with asyncio.timeout(DECODE_TIMEOUT_S):
                reply, audio = await self._decoder.ask(request)
        except TimeoutError:
            await self._discard_decoder()
            raise AudioError(file.path, f"not decoded within {DECODE_TIMEOUT_S:.0f} s") from None
        except (OSError, asyncio.IncompleteReadError):
            await self._discard_decoder()
            raise AudioError(file.path, "the decoder process died") from None
        except asyncio.CancelledError:
            await self._discard_decoder()  # its answer would be taken for that of the next file
            raise
        if "error" in reply:
            raise AudioError(file.path, reply["error"])
        return PreparedAudio(rate_hz, audio)

    def _remember(self, key: tuple[str, int, int, int], audio: PreparedAudio) -> None:
        self._cache[key] = audio
        self.cached_bytes += len(audio.samples)
        while self.cached_bytes > self._cache_limit and len(self._cache) > 1:
            self.cached_bytes -= len(self._cache.popitem(last=False)[1].samples)

    async def _discard_decoder(self) -> None:
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            await decoder.stop()


class _Decoder:
    """The running decoder process and our end of its socketpair."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> "_Decoder":
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "santral.engine.media.decoder"),
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    env=environment,
                )
            except BaseException:  # cancelled, when its call has ended
                writer.close()
                raise
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, request: dict[str, str]) -> tuple[dict[str, Any], bytes]:
        self._writer.write(json.dumps(request).encode() + b"\n")
        await self._writer.drain()
        head, audio = HEADER.unpack(await self._reader.readexactly(HEADER.size))
        reply = json.loads(await self._reader.readexactly(head))
        return reply, await self._reader.readexactly(audio)

    async def stop(self) -> None:
        self._writer.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        with suppress(OSError):
            await self._writer.wait_closed()


@dataclass(frozen=True, slots=True)
class _SoundFile:
    """A file that may be read: real paths, and its state when it was looked at."""

    path: str
    folder: str
    state: os.stat_result


def _inside(path: str | Path, folder: str | Path) -> _SoundFile:
    """Links that lead out of `folder`, and formats not listed, are refused."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    if os.path.commonpath([real, root]) != root:
        raise AudioError(str(path), "outside the sound folder")
    if Path(real).suffix.lower() not in FORMATS:
        raise AudioError(str(path), f"not one of the formats {', '.join(sorted(set(FORMATS.values())))}")
    try:
        return _SoundFile(real, root, os.stat(real))
    except OSError as problem:
        raise AudioError(str(path), problem.strerror or "cannot be read") from None
