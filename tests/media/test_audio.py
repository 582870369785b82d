"""Sound files: decoded elsewhere, exact in content, only from where and of what is allowed."""

import asyncio
import math
import os
import signal
import wave
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest

from santral.codecs import CODECS
from santral.engine.media import AudioError, AudioLibrary
from santral.engine.media.audio import FRAME_BYTES

RATE = 8000


@pytest.fixture
async def library() -> AsyncIterator[AudioLibrary]:
    library = AudioLibrary()
    yield library
    await library.close()


def tone(seconds: float, rate: int = RATE, hz: float = 440.0, loud: int = 8000) -> "array[int]":
    return array("h", (round(loud * math.sin(2 * math.pi * hz * n / rate)) for n in range(int(seconds * rate))))


def wav(path: Path, samples: "array[int]", rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def loudest_hz(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_an_8_khz_file_comes_out_sample_for_sample(library: AudioLibrary, tmp_path: Path, codec: str) -> None:
    samples = tone(0.5)
    audio = await library.prepare(wav(tmp_path / "a.wav", samples), codec, tmp_path)
    assert audio.codec == f"{codec}/8000"
    assert audio.frames == CODECS[audio.codec].encode(samples.tobytes())
    assert audio.duration_ms == 500


async def test_the_last_frame_is_filled_up_with_silence(library: AudioLibrary, tmp_path: Path) -> None:
    audio = await library.prepare(wav(tmp_path / "a.wav", tone(0.03)), "PCMU", tmp_path)
    assert len(audio.frames) == 2 * FRAME_BYTES
    assert audio.frames[240:] == b"\xff" * 80


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 1), (48000, 2)])
async def test_other_rates_and_stereo_are_converted(
    library: AudioLibrary, tmp_path: Path, rate: int, channels: int
) -> None:
    samples = tone(1.0, rate)
    if channels == 2:
        samples = array("h", (s for s in samples for _ in range(2)))
    audio = await library.prepare(wav(tmp_path / "a.wav", samples, rate, channels), "PCMA", tmp_path)
    decoded = np.frombuffer(CODECS["PCMA/8000"].decode(audio.frames), np.int16)
    assert abs(len(decoded) - RATE) <= 2 * FRAME_BYTES
    assert abs(loudest_hz(decoded) - 440) < 2
    assert 7000 < np.max(np.abs(decoded[1000:7000])) < 9000


async def test_flac_is_allowed_too(library: AudioLibrary, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("flac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.array([tone(0.5)], np.int16), format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    audio = await library.prepare(path, "PCMA", tmp_path)
    assert audio.frames == CODECS["PCMA/8000"].encode(tone(0.5).tobytes())


async def test_only_files_inside_the_folder(library: AudioLibrary, tmp_path: Path) -> None:
    inside, outside = tmp_path / "sounds", tmp_path / "private"
    inside.mkdir()
    outside.mkdir()
    secret = wav(outside / "secret.wav", tone(0.1))
    (inside / "link.wav").symlink_to(secret)
    for path in (secret, inside / "../private/secret.wav", inside / "link.wav", "/etc/passwd"):
        with pytest.raises(AudioError, match="outside the sound folder"):
            await library.prepare(path, "PCMA", inside)
    (inside / "own.wav").symlink_to(wav(inside / "real.wav", tone(0.1)))
    assert (await library.prepare(inside / "own.wav", "PCMA", inside)).duration_ms == 100


async def test_what_cannot_be_played_says_why(library: AudioLibrary, tmp_path: Path) -> None:
    (tmp_path / "playlist.m3u8").write_text("#EXTM3U\nhttp://127.0.0.1/x.ts\n")
    (tmp_path / "text.wav").write_text("#EXTM3U\nfile:///etc/passwd\n")
    (tmp_path / "empty.wav").write_bytes(b"")
    wav(tmp_path / "silent.wav", array("h"))
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, reason in [
        ("playlist.m3u8", "formats"), ("text.wav", "not a readable"), ("empty.wav", "not a readable"),
        ("silent.wav", "no audio"), ("missing.wav", "No such file"), ("folder.wav", "regular file"),
        ("pipe.wav", "regular file"),
    ]:  # fmt: skip
        with pytest.raises(AudioError, match=reason) as refusal:
            await library.prepare(tmp_path / name, "PCMA", tmp_path)
        assert refusal.value.path.endswith(name)
    with pytest.raises(AudioError, match="G729"):
        await library.prepare(wav(tmp_path / "a.wav", tone(0.1)), "G729", tmp_path)


async def test_a_file_is_decoded_once_until_it_changes(library: AudioLibrary, tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", tone(0.1))
    first, second = await asyncio.gather(*(library.prepare(path, "PCMA", tmp_path) for _ in range(2)))
    assert first is second
    assert (await library.prepare(path, "PCMU", tmp_path)).codec == "PCMU/8000"
    wav(path, tone(0.2))
    assert (await library.prepare(path, "PCMA", tmp_path)).duration_ms == 200


async def test_the_cache_is_bounded_in_bytes(tmp_path: Path) -> None:
    library = AudioLibrary(cache_bytes=5 * 800)
    for n in range(8):
        await library.prepare(wav(tmp_path / f"{n}.wav", tone(0.1)), "PCMA", tmp_path)
    kept = [await library.prepare(tmp_path / f"{n}.wav", "PCMA", tmp_path) for n in (7, 6, 5, 4, 3)]
    assert library.cached_bytes == sum(len(audio.frames) for audio in kept) == 4000
    await library.close()


async def test_a_decoder_that_dies_is_replaced(library: AudioLibrary, tmp_path: Path) -> None:
    await library.prepare(wav(tmp_path / "a.wav", tone(0.1)), "PCMA", tmp_path)
    assert library.decoder_pid is not None
    os.kill(library.decoder_pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(library.prepare(wav(tmp_path / "b.wav", tone(0.1)), "PCMA", tmp_path))
    await asyncio.sleep(0.05)
    os.kill(library.decoder_pid, signal.SIGKILL)
    with pytest.raises(AudioError, match="died"):
        await waiting
    assert (await library.prepare(tmp_path / "b.wav", "PCMA", tmp_path)).duration_ms == 100


async def test_giving_up_on_one_file_does_not_confuse_the_next(library: AudioLibrary, tmp_path: Path) -> None:
    await library.prepare(wav(tmp_path / "a.wav", tone(0.1)), "PCMA", tmp_path)
    assert library.decoder_pid is not None
    os.kill(library.decoder_pid, signal.SIGSTOP)  # its answer will be late
    waiting = asyncio.ensure_future(library.prepare(wav(tmp_path / "slow.wav", tone(0.3)), "PCMA", tmp_path))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await library.prepare(wav(tmp_path / "b.wav", tone(0.2)), "PCMA", tmp_path)).duration_ms == 200


async def test_the_decoder_is_nice_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    library = AudioLibrary()
    await library.prepare(wav(tmp_path / "a.wav", tone(0.1)), "PCMA", tmp_path)
    assert library.decoder_pid is not None
    assert os.getpriority(os.PRIO_PROCESS, library.decoder_pid) == 10
    assert library.decoder_pid != os.getpid()
    await library.close()
    assert library.decoder_pid is None
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # asyncio's own child watcher may keep one
