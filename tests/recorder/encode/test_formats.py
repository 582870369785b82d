"""Files as others read them: length, channels, rate, what is heard in which ear, and what the file says of itself."""

import io
import json
import resource
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from santral.recorder.encode import FORMATS, EncodeError, save
from santral.recorder.encode.peaks import POINTS_MAX, Peaks
from santral.recorder.encode.wav import HEADER_BYTES, header
from santral.recorder.mixdown import Mixdown, Options

from ..scene import Samples, Talk, Tape, note, two_sides

HZ = 8000
LEFT, RIGHT = 440, 700  # Hz
METADATA = {"comment": "sold a car", "case": "Ü-17"}


def tone(hz: float, seconds: float) -> Samples:
    return np.asarray(8000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * HZ)) / HZ), np.int16)


def recording(seconds: float = 6.0) -> Mixdown:
    talks = [Talk(0, tone(LEFT, seconds), start_s=0), Talk(1, tone(RIGHT, seconds), start_s=0)]
    return Mixdown([Tape(talks, two_sides(end_s=seconds))])


def strength(samples: Samples, hz: float, rate_hz: int) -> float:
    turn = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate_hz)
    return float(2 * abs(np.mean(samples * turn)))


def heard(path: Path) -> tuple[Samples, int, dict[str, str]]:
    """[frames, channels] as FFmpeg's libraries decode it, its rate, and what is said about it."""
    pieces = []
    with av.open(str(path)) as source:
        stream = source.streams.audio[0]
        said = {**source.metadata, **stream.metadata}
        resampler = av.AudioResampler(format="s16", layout=stream.layout, rate=stream.rate)
        for frame in source.decode(stream):
            pieces += [piece.to_ndarray().reshape(-1, stream.channels) for piece in resampler.resample(frame)]
    return np.concatenate(pieces), stream.rate, {name.lower(): text for name, text in said.items()}


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_is_what_was_mixed(format_name: str, tmp_path: Path) -> None:
    (written,) = save(recording(), tmp_path, "call", format_name, metadata=METADATA)
    assert written.path == tmp_path / f"call.{FORMATS[format_name].extension}"
    assert (written.kind, written.channels, written.rate_hz, written.seconds) == ("audio", 2, HZ, 6.0)
    audio, rate, said = heard(written.path)
    lossy = format_name in ("opus", "mp3")
    assert len(audio) / rate == pytest.approx(6.0, abs=0.2 if lossy else 0)
    assert audio.shape[1] == 2
    middle = audio[rate * 2 : rate * 4]
    assert strength(middle[:, 0], LEFT, rate) > 6500
    assert strength(middle[:, 1], RIGHT, rate) > 6500
    assert strength(middle[:, 0], RIGHT, rate) < 400
    assert strength(middle[:, 1], LEFT, rate) < 400
    text = " ".join(said.values()) if format_name.startswith("wav") else ""
    assert said["title"] == "Recording rec-1"
    assert said["artist"] == "+905551112233, 101"
    assert said["date"] == "2025-10-09T08:53:20.000Z"
    assert said.get("ended") == "2025-10-09T08:53:26.000Z" or "ended=2025-10-09T08:53:26.000Z" in text
    assert said.get("case") == "Ü-17" or "case=Ü-17" in text
    assert "sold a car" in said["comment"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [written.path.name]


@pytest.mark.parametrize("format_name", ["wav", "wav-alaw", "wav-ulaw", "flac"])
def test_sox_reads_it(format_name: str, tmp_path: Path, need: Callable[[str], None]) -> None:
    need("sox")
    (written,) = save(recording(), tmp_path, "call", format_name)
    told = [
        subprocess.run(["soxi", option, written.path], check=True, capture_output=True, text=True).stdout.strip()
        for option in ("-r", "-c", "-s")
    ]
    assert told == [str(HZ), "2", str(6 * HZ)]
    raw = subprocess.run(["sox", written.path, "-t", "s16", "-"], check=True, capture_output=True)
    assert raw.stderr == b""
    samples = np.frombuffer(raw.stdout, np.int16).reshape(-1, 2)
    assert strength(samples[HZ : 3 * HZ, 1], RIGHT, HZ) > 7000


@pytest.mark.parametrize("format_name", ["opus", "mp3", "wav"])
def test_ffmpeg_reads_it(format_name: str, tmp_path: Path, need: Callable[[str], None]) -> None:
    need("ffmpeg")
    (written,) = save(recording(), tmp_path, "call", format_name)
    command = ["ffmpeg", "-v", "warning", "-i", written.path, "-f", "s16le", "-ar", "8000", "-"]
    done = subprocess.run(command, check=True, capture_output=True)
    samples = np.frombuffer(done.stdout, np.int16).reshape(-1, 2)
    assert b"rror" not in done.stderr
    assert len(samples) / HZ == pytest.approx(6, abs=0.2)
    assert strength(samples[HZ : 3 * HZ, 0], LEFT, HZ) > 6500


def test_a_recording_that_was_cut_says_so_inside(tmp_path: Path) -> None:
    mix = Mixdown([Tape([Talk(0, tone(LEFT, 3), start_s=0)], two_sides())])
    (written,) = save(mix, tmp_path, "call", "flac")
    assert heard(written.path)[2]["recovered"] == "yes"


def test_a_file_a_leg_peaks_and_a_picture(tmp_path: Path) -> None:
    late = note(4, "stream", stream=2, leg="leg c/..", side="said", role="connected")
    talks = [Talk(0, tone(LEFT, 6), start_s=0), Talk(2, tone(RIGHT, 2), start_s=4, ssrc=5)]
    mix = Mixdown([Tape(talks, two_sides(late, end_s=6))], Options(tracks=True))
    written = save(mix, tmp_path, "call", "wav", peaks=True, picture=True)
    assert [(each.kind, each.track, each.path.name) for each in written] == [
        ("audio", "", "call.wav"),
        ("track", "leg-a", "call-leg-a.wav"),
        ("track", "leg-b", "call-leg-b.wav"),
        ("track", "leg c/..", "call-leg_c_...wav"),
        ("peaks", "", "call.json"),
        ("picture", "", "call.png"),
    ]
    assert {heard(each.path)[0].shape for each in written[1:4]} == {(6 * HZ, 1)}
    peaks = json.loads((tmp_path / "call.json").read_text())
    assert {name: peaks[name] for name in ("version", "channels", "sample_rate", "bits", "length")} == {
        "version": 2, "channels": 2, "sample_rate": HZ, "bits": 8, "length": 120,
    }  # fmt: skip
    values = np.array(peaks["data"]).reshape(-1, 2, 2)
    assert values[2:118, 0].tolist() == [[-32, 31]] * 116 or np.abs(values[2:118, 0] - [-32, 31]).max() <= 1
    assert not values[:78, 1].any()
    assert values[85:118, 1, 1].min() >= 30
    assert_png((tmp_path / "call.png").read_bytes(), 1200, 240)


def assert_png(data: bytes, width: int, height: int) -> None:
    """Ink where there is sound, none where there is silence."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (width, height)
    at = data.index(b"IDAT")
    size = struct.unpack(">I", data[at - 4 : at])[0]
    lines = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + size]), np.uint8).reshape(height, 1 + 3 * width)
    pixels = lines[:, 1:].reshape(height, width, 3)
    dark = pixels.min(axis=2) < 150
    assert dark[:120, 100:1100].any(axis=0).all()
    assert not dark[120:, :780].any()
    assert dark[120:, 850:1150].any(axis=0).all()


def test_peaks_of_a_long_recording_stay_few() -> None:
    peaks = Peaks(HZ, 1)
    second = np.zeros((HZ, 1), np.int16)
    second[4000] = 30_000
    for _ in range(3000):
        peaks.add(second)
    peaks.add(second[:100])
    peaks.finish()
    drawn = peaks.to_map()
    assert POINTS_MAX / 2 <= drawn["length"] <= POINTS_MAX + 1
    assert drawn["length"] * drawn["samples_per_pixel"] == pytest.approx(3000 * HZ, abs=3 * drawn["samples_per_pixel"])
    assert drawn["data"].count(30_000 >> 8) == 3000


@pytest.mark.parametrize("format_name", ["wav", "flac", "mp3"])
def test_a_folder_that_is_gone_is_an_os_error(format_name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save(recording(), tmp_path / "gone", "call", format_name)


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_disk_that_gets_full_leaves_nothing_behind(format_name: str, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk's."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"."):
            save(recording(), tmp_path, "call", format_name, peaks=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


class Kept(io.BytesIO):
    """A file of the caller's making."""

    def __init__(self, ends: list[str], path: Path) -> None:
        super().__init__()
        self.ends, self.path = ends, path

    def discard(self) -> None:
        self.ends.append(f"discarded {self.path.name}")
        self.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.closed:
            self.ends.append(
                f"{'left by ' + kind.__name__ if kind else f'{len(self.getvalue())} bytes'}: {self.path.name}"
            )


@pytest.mark.parametrize("format_name", ["wav", "flac"])
def test_files_may_be_made_by_the_caller(format_name: str, tmp_path: Path) -> None:
    """Sealed, say: nothing of the recording is anywhere else."""
    ends: list[str] = []
    (written, _) = save(recording(), tmp_path, "x", format_name, peaks=True, create=lambda path: Kept(ends, path))
    drafts = [end for end in ends if "draft" in end]
    assert drafts == ([] if format_name == "wav" else ["discarded x.flac.draft"])
    sizes = {end.split(": ")[1]: int(end.split()[0]) for end in ends if end not in drafts}
    assert sizes.keys() == {written.path.name, "x.json"}
    assert sizes[written.path.name] > 30_000
    assert list(tmp_path.iterdir()) == []


def test_files_of_the_caller_are_left_by_what_went_wrong(tmp_path: Path) -> None:
    ends: list[str] = []
    mix = recording()
    mix.reels[0].source.payloads = b""
    mix.reels[0].source.read = lambda _limit=None: 1 / 0
    with pytest.raises(ZeroDivisionError):
        save(mix, tmp_path, "x", "flac", create=lambda path: Kept(ends, path))
    assert ends == []  # it had not come to that
    mix = recording(30)
    real = mix.reels[0].source.read
    calls = iter([real, real])
    mix.reels[0].source.rows_a_read = 1000
    mix.reels[0].source.read = lambda limit=None: next(calls)(limit)
    with pytest.raises(RuntimeError, match="StopIteration"):
        save(mix, tmp_path, "x", "flac", create=lambda path: Kept(ends, path))
    assert ends == ["discarded x.flac.draft", "left by RuntimeError: x.flac"]


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match="no format 'vinyl': there are wav, "):
        save(recording(), tmp_path, "call", "vinyl")


def test_a_wav_of_more_than_4_gib_has_64_bit_lengths() -> None:
    small, big = header(48000, 2, data_bytes=1000), header(48000, 2, data_bytes=5 << 30)
    assert len(small) == len(big) == len(header(8000, 1)) == HEADER_BYTES
    assert small[:4] == b"RIFF"
    assert struct.unpack("<I", small[4:8])[0] == HEADER_BYTES - 8 + 1000
    assert big[:4] == b"RF64"
    assert struct.unpack("<QQQ", big[20:44]) == (HEADER_BYTES - 8 + (5 << 30), 5 << 30, (5 << 30) // 4)
