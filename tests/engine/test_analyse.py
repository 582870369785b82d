"""`santral analyse`: what it prints about files of several formats, and how it refuses others."""

import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from santral.codecs.g711 import PCMA
from santral.codecs.generate.score import Score, ScorePlayer
from santral.codecs.tones import TONES
from santral.engine.cli.commands import run_app

SOUNDS = Path(__file__).resolve().parents[2] / "engine/sounds"
SILENCE = b"\0\0" * 4000
Lines = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Return what runs the command and reads what it printed."""

    def command(*arguments: str | Path) -> list[dict[str, Any]]:
        assert run_app(["analyse", *map(str, arguments)]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return command


def made(score: Score, ms: int = 60_000) -> bytes:
    return ScorePlayer(score).render(8 * ms)


def save(path: Path, *channels: bytes, rate_hz: int = 8000) -> Path:
    longest = max(map(len, channels))
    samples = np.stack([np.frombuffer(channel.ljust(longest, b"\0"), np.int16) for channel in channels], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.ascontiguousarray(samples).tobytes())
    return path


def encode(path: Path, samples: bytes, codec: str) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=8000 if codec == "flac" else 48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.frombuffer(samples, np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = 8000
        for resampled in av.AudioResampler(stream.format, "mono", stream.rate, stream.frame_size or None).resample(
            frame
        ):
            file.mux(stream.encode(resampled))
        file.mux(stream.encode(None))
    return path


def test_everything_about_one_file(lines: Lines, tmp_path: Path) -> None:
    with wave.open(str(SOUNDS / "passage-en.wav")) as file:
        step = file.getframerate() // 8000
        passage = np.frombuffer(file.readframes(file.getnframes()), np.int16)[::step].tobytes()
    ring = made(Score.tone(TONES["tr"]["ringback"]), 2500)
    sound = SILENCE + ring + SILENCE + passage + SILENCE * 2 + made(Score.digits("42#", tone_ms=80)) + SILENCE
    (found,) = lines(save(tmp_path / "call.wav", sound))
    assert list(found) == ["file", "dtmf", "digits", "tones", "speech"]
    assert found["file"] == str(tmp_path / "call.wav")
    assert found["dtmf"] == "42#"
    digits_at = 500 + 2500 + 500 + len(passage) // 16 + 1000
    for n, each in enumerate(found["digits"]):
        assert each["digit"] == "42#"[n]
        assert each["at_ms"] == pytest.approx(digits_at + 180 * n, abs=10)
        assert each["ms"] == pytest.approx(80, abs=10)
    (tone,) = found["tones"]
    assert (tone["tone"], tone["hz"]) == ("ringback", [pytest.approx(450, abs=1)])
    assert (tone["at_ms"], tone["ms"]) == (pytest.approx(500, abs=10), pytest.approx(2000, abs=20))
    spoken = sum(end - start for start, end in found["speech"] if 3400 < start < digits_at - 1000)
    assert spoken >= 0.8 * len(passage) / 16


def test_only_what_is_asked_for(lines: Lines, tmp_path: Path) -> None:
    file = save(tmp_path / "a.wav", SILENCE + made(Score.digits("7")) + SILENCE)
    assert list(lines("--dtmf", file)[0]) == ["file", "dtmf", "digits"]
    assert list(lines("--tones", "--vad", file)[0]) == ["file", "tones", "speech"]


@pytest.mark.parametrize(("suffix", "codec"), [("flac", "flac"), ("mp3", "libmp3lame"), ("ogg", "libopus")])
def test_other_formats_and_rates(lines: Lines, tmp_path: Path, suffix: str, codec: str) -> None:
    sound = SILENCE + made(Score.digits("159D", tone_ms=100)) + SILENCE
    (found,) = lines("--dtmf", encode(tmp_path / f"a.{suffix}", sound, codec))
    assert found["dtmf"] == "159D"


def test_raw_g711_and_wideband(lines: Lines, tmp_path: Path) -> None:
    sound = SILENCE + made(Score.digits("36")) + SILENCE
    (tmp_path / "a.al").write_bytes(PCMA.encode(sound))
    wide = save(tmp_path / "b.wav", ScorePlayer(Score.digits("9*", sample_hz=48000)).render(48_000), rate_hz=48_000)
    assert [each["dtmf"] for each in lines("--dtmf", tmp_path / "a.al", wide)] == ["36", "9*"]


def test_each_channel_for_itself(lines: Lines, tmp_path: Path) -> None:
    left = SILENCE + made(Score.digits("12"))
    right = made(Score.tone(TONES["us"]["busy"]), 4000)
    found = lines(save(tmp_path / "a.wav", left, right))
    assert [(each["channel"], each["dtmf"]) for each in found] == [(1, "12"), (2, "")]
    assert [[tone["tone"] for tone in each["tones"]] for each in found] == [[], ["busy"]]


def test_what_cannot_be_read_is_one_line_and_the_rest_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = save(tmp_path / "good.wav", made(Score.digits("5")) + SILENCE)
    (tmp_path / "text.wav").write_text("no sound at all " * 50)
    (tmp_path / "empty.mp3").write_bytes(b"")
    files = [tmp_path / "text.wav", tmp_path / "empty.mp3", tmp_path / "missing.wav", tmp_path, good]
    assert run_app(["analyse", "--dtmf", *map(str, files)]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["dtmf"] == "5"
    assert [line.split(": ")[1] for line in said.err.splitlines()] == [str(file) for file in files[:4]]


def test_what_is_not_here_yet_is_no_option(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_app(["analyse", "--amd", str(tmp_path)]) == 2
    assert "--amd" in capsys.readouterr().err
