"""Verdicts must say no: every way in which heard audio can be wrong is tried on purpose."""

import numpy as np
import pytest
from numpy.typing import NDArray

from santral.bench.judge import hearing
from santral.bench.peer import g711

RATE = hearing.RATE_HZ


def babble(seed: int, seconds: float = 3.0) -> NDArray[np.int16]:
    """Noise shaped like speech: coloured, in syllables, with pauses."""
    noise = np.random.default_rng(seed)
    count = int(RATE * seconds)
    white = noise.standard_normal(count)
    coloured = np.convolve(white, np.exp(-np.arange(40) / 6), "same")
    syllables = np.repeat(noise.random(count // 1600 + 1) > 0.3, 1600)[:count]
    return np.asarray(coloured * syllables * 1500, np.int16)


def heard_later(said: NDArray[np.int16], samples: int, tail: int = 4000) -> NDArray[np.int16]:
    return np.concatenate([np.zeros(samples, np.int16), said, np.zeros(tail, np.int16)])


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
@pytest.mark.parametrize("lag", [0, 1, 2400, 2563])
def test_what_went_through_g711_is_the_same(codec: str, lag: int) -> None:
    said = babble(1)
    heard = heard_later(g711.decode(g711.encode(said, codec), codec), lag)
    match = hearing.find(said, heard)
    assert match.is_same
    assert match.likeness > 0.998
    assert match.lag_samples == lag


def test_a_beginning_cut_off_gives_a_negative_lag() -> None:
    said = babble(1)
    match = hearing.find(said, said[800:])
    assert match.lag_samples == -800


def test_other_speech_is_absent() -> None:
    match = hearing.find(babble(1), babble(2, 4.0))
    assert match.is_absent
    assert not match.is_same


@pytest.mark.parametrize("gain_db", [-3.0, 3.0])
def test_a_wrong_level_is_not_the_same(gain_db: float) -> None:
    said = babble(1)
    match = hearing.find(said, heard_later((said * 10 ** (gain_db / 20)).astype(np.int16), 100))
    assert match.level_db == pytest.approx(gain_db, abs=0.05)
    assert not match.is_same


def test_silence_and_nothing_are_not_the_same() -> None:
    said = babble(1)
    assert not hearing.find(said, np.zeros(RATE, np.int16)).is_same
    assert not hearing.find(said, np.zeros(0, np.int16)).is_same
    assert not hearing.find(np.zeros(RATE, np.int16), said).is_same


def test_a_half_of_the_speech_is_not_the_same() -> None:
    said = babble(1)
    heard = said.copy()
    heard[len(said) // 2 :] = 0
    assert not hearing.find(said, heard_later(heard, 200)).is_same


def test_a_shift_in_the_middle_is_not_the_same() -> None:
    """A slip of 20 ms half-way, as a renumbering relay would make."""
    said = babble(1)
    slipped = np.concatenate([said[: len(said) // 2], np.zeros(160, np.int16), said[len(said) // 2 :]])
    assert not hearing.find(said, heard_later(slipped, 200)).is_same


def test_wrong_law_is_not_the_same() -> None:
    said = babble(1)
    heard = g711.decode(g711.encode(said, "PCMA"), "PCMU")
    assert not hearing.find(said, heard_later(heard, 200)).is_same


def test_noise_on_top_is_not_the_same() -> None:
    said = babble(1)
    assert not hearing.find(said, said // 2 + babble(3) // 2).is_same


def test_delay_joins_clocks_and_correlation() -> None:
    match = hearing.Match(1.0, 2404, 0.0)
    delay = hearing.delay_ms(
        match, said_origin_ns=1_000_000_000, heard_origin_ns=1_002_000_000, said_starts_samples=2400
    )
    assert delay == pytest.approx(2.5)


def test_level_of_full_scale_square_is_zero() -> None:
    assert hearing.rms_dbfs(np.tile(np.array([32767, -32768], np.int16), 50)) == pytest.approx(0.0, abs=0.01)
    assert hearing.rms_dbfs(np.zeros(10, np.int16)) == -np.inf
