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

from santral.engine.media import AudioError, AudioLibrary

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


def loudest_hz(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]", rate: int = RATE) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


async def test_an_8_khz_file_comes_out_sample_for_sample(library: AudioLibrary, tmp_path: Path) -> None:
    samples = tone(0.5)
    audio = await library.prepare(wav(tmp_path / "a.wav", samples), 8000, tmp_path)
    assert audio.rate_hz == 8000
    assert audio.samples == samples.tobytes()
    assert audio.duration_ms == 500


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (44100, 1), (48000, 2)])
@pytest.mark.parametrize("wanted", [8000, 16000, 48000])
async def test_other_rates_and_stereo_are_converted(
    library: AudioLibrary, tmp_path: Path, rate: int, channels: int, wanted: int
) -> None:
    samples = tone(1.0, rate)
    if channels == 2:
        samples = array("h", (s for s in samples for _ in range(2)))
    audio = await library.prepare(wav(tmp_path / "a.wav", samples, rate, channels), wanted, tmp_path)
    heard = np.frombuffer(audio.samples, np.int16)
    assert abs(len(heard) - wanted) <= wanted // 25
    assert abs(loudest_hz(heard, wanted) - 440) < 2
    assert 7000 < np.max(np.abs(heard[wanted // 8 : -wanted // 8])) < 9000


@pytest.mark.parametrize(("suffix", "codec"), [("mp3", "libmp3lame"), ("opus", "libopus")])
async def test_compressed_files_are_read(library: AudioLibrary, tmp_path: Path, suffix: str, codec: str) -> None:
    path, rate = tmp_path / f"a.{suffix}", 48000
    with av.open(str(path), "w", format="ogg" if suffix == "opus" else suffix) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.format = stream.codec_context.codec.audio_formats[0]
        frame = av.AudioFrame.from_ndarray(np.array([tone(1.0, rate)], np.int16), format="s16", layout="mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    audio = await library.prepare(path, 8000, tmp_path)
    assert abs(audio.duration_ms - 1000) < 100
    assert abs(loudest_hz(np.frombuffer(audio.samples, np.int16), 8000) - 440) < 2


async def test_flac_is_allowed_too(library: AudioLibrary, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("flac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.array([tone(0.5)], np.int16), format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    audio = await library.prepare(path, 8000, tmp_path)
    assert audio.samples == tone(0.5).tobytes()


async def test_only_files_inside_the_folder(library: AudioLibrary, tmp_path: Path) -> None:
    inside, outside = tmp_path / "sounds", tmp_path / "private"
    inside.mkdir()
    outside.mkdir()
    secret = wav(outside / "secret.wav", tone(0.1))
    (inside / "link.wav").symlink_to(secret)
    for path in (secret, inside / "../private/secret.wav", inside / "link.wav", "/etc/passwd"):
        with pytest.raises(AudioError, match="outside the sound folder"):
            await library.prepare(path, 8000, inside)
    (inside / "own.wav").symlink_to(wav(inside / "real.wav", tone(0.1)))
    assert (await library.prepare(inside / "own.wav", 8000, inside)).duration_ms == 100


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
            await library.prepare(tmp_path / name, 8000, tmp_path)
        assert refusal.value.path.endswith(name)
    with pytest.raises(AudioError, match="11025"):
        await library.prepare(wav(tmp_path / "a.wav", tone(0.1)), 11025, tmp_path)


async def test_a_file_is_decoded_once_until_it_changes(library: AudioLibrary, tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", tone(0.1))
    first, second = await asyncio.gather(*(library.prepare(path, 8000, tmp_path) for _ in range(2)))
    assert first is second
    assert (await library.prepare(path, 16000, tmp_path)).rate_hz == 16000
    wav(path, tone(0.2))
    assert (await library.prepare(path, 8000, tmp_path)).duration_ms == 200


async def test_the_cache_is_bounded_in_bytes(tmp_path: Path) -> None:
    library = AudioLibrary(cache_bytes=5 * 1600)
    for n in range(8):
        await library.prepare(wav(tmp_path / f"{n}.wav", tone(0.1)), 8000, tmp_path)
    kept = [await library.prepare(tmp_path / f"{n}.wav", 8000, tmp_path) for n in (7, 6, 5, 4, 3)]
    assert library.cached_bytes == sum(len(audio.samples) for audio in kept) == 8000
    await library.close()


async def test_a_decoder_that_dies_is_replaced(library: AudioLibrary, tmp_path: Path) -> None:
    await library.prepare(wav(tmp_path / "a.wav", tone(0.1)), 8000, tmp_path)
    assert library.decoder_pid is not None
    os.kill(library.decoder_pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(library.prepare(wav(tmp_path / "b.wav", tone(0.1)), 8000, tmp_path))
    await asyncio.sleep(0.05)
    os.kill(library.decoder_pid, signal.SIGKILL)
    with pytest.raises(AudioError, match="died"):
        await waiting
    assert (await library.prepare(tmp_path / "b.wav", 8000, tmp_path)).duration_ms == 100


async def test_giving_up_on_one_file_does_not_confuse_the_next(library: AudioLibrary, tmp_path: Path) -> None:
    await library.prepare(wav(tmp_path / "a.wav", tone(0.1)), 8000, tmp_path)
    assert library.decoder_pid is not None
    os.kill(library.decoder_pid, signal.SIGSTOP)  # its answer will be late
    waiting = asyncio.ensure_future(library.prepare(wav(tmp_path / "slow.wav", tone(0.3)), 8000, tmp_path))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await library.prepare(wav(tmp_path / "b.wav", tone(0.2)), 8000, tmp_path)).duration_ms == 200


async def test_the_decoder_is_nice_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    library = AudioLibrary()
    await library.prepare(wav(tmp_path / "a.wav", tone(0.1)), 8000, tmp_path)
    assert library.decoder_pid is not None
    assert os.getpriority(os.PRIO_PROCESS, library.decoder_pid) == min(os.nice(0) + 10, 19)
    assert library.decoder_pid != os.getpid()
    await library.close()
    assert library.decoder_pid is None
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # asyncio's own child watcher may keep one
