"""What is done to speech, judged by P.862.1: transcoding beside ffmpeg, concealment beside silence, levels by P.56."""

from pathlib import Path

import numpy as np
import pytest

from santral.bench.judge import quality
from santral.bench.measure import quality as measured
from santral.bench.measure.result import Result
from santral.codecs import CODECS

PCMU = CODECS["PCMU/8000"]


def quantised(clip: quality.Samples) -> quality.Samples:
    return np.frombuffer(PCMU.decode(PCMU.encode(clip.tobytes())), np.int16)


@pytest.mark.parametrize(
    ("path", "least"),
    # G.722 and two times G.711 on buzzing made voices: ffmpeg loses as much; recorded speech is judged below.
    [("PCMU to PCMA", 4.45), ("PCMU to G.722 to PCMU", 4.30), ("PCMU to Opus to PCMU", 4.35)],
)
def test_transcoded_speech_is_good_and_no_worse_than_ffmpeg_s(path: str, least: float) -> None:
    key, hz, _ = measured.PATHS[path]
    for clip in measured.passages():
        said = quantised(clip)
        ours = quality.mos(said, measured.through(said, CODECS[key], hz))
        theirs = quality.mos(said, measured.through_ffmpeg(said, key, hz))
        assert ours >= least
        assert ours >= theirs - 0.1


@pytest.mark.corpus
@pytest.mark.parametrize("path", measured.PATHS)
def test_recorded_speech_keeps_the_limits(corpus: Path, path: str) -> None:
    key, hz, least = measured.PATHS[path]
    recorded = np.fromfile(corpus / "codecs/itu-stl/g711iplc/test_data/f2.le", "<i2")
    said = quantised(measured.ready(recorded))
    assert quality.mos(said, measured.through(said, CODECS[key], hz)) >= least


@pytest.mark.parametrize(("share", "least"), measured.GAINS.items())
def test_concealment_gains_over_silence(share: float, least: float) -> None:
    def losses(frames: int, seed: int) -> quality.Losses:
        return quality.lost_at_random(frames, share, seed)

    silent, concealed = measured.gains(measured.passages(), losses, seeds=3)
    assert concealed - silent >= least


@pytest.mark.corpus
def test_concealment_is_as_good_as_the_itu_s_own(corpus: Path) -> None:
    result = Result("quality")
    measured.itu_vector(corpus / "codecs/itu-stl/g711iplc/test_data", result)
    assert result.is_good, result.rows


@pytest.mark.corpus
def test_levels_are_those_of_the_itu_s_voltmeter(corpus: Path) -> None:
    """The tool's example is brought to -30 dBov."""
    normalised = np.fromfile(corpus / "codecs/itu-stl/sv56/test_data/voice.nrm", "<i2")
    assert quality.active_level_dbov(normalised, 16000) == pytest.approx(-30, abs=0.1)


def test_pauses_do_not_count_as_speech() -> None:
    clip = measured.passages()[0]
    with_pauses = np.concatenate([clip, np.zeros(clip.size, np.int16)])
    assert quality.active_level_dbov(with_pauses) == pytest.approx(quality.active_level_dbov(clip), abs=0.4)
    assert quality.active_level_dbov(clip) == pytest.approx(quality.LEVEL_DBOV, abs=0.05)


def test_a_delay_is_found_and_taken_out() -> None:
    clip = measured.passages()[0]
    for late in (0, 31, -31, 250):
        moved = np.concatenate([np.zeros(late, np.int16), clip]) if late >= 0 else clip[-late:]
        assert quality.lag(clip, moved) == late
    assert quality.mos(clip, np.concatenate([np.zeros(77, np.int16), clip])) > 4.5


def test_bursts_have_their_share_and_their_length() -> None:
    lost = quality.lost_in_bursts(200_000, 0.05, 4, seed=1)
    bursts = np.flatnonzero(np.diff(lost.astype(int)) == 1).size
    assert lost.mean() == pytest.approx(0.05, rel=0.1)
    assert lost.sum() / bursts == pytest.approx(4, rel=0.1)
