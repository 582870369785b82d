"""Sums: each hears exactly the others, and what is too loud is cut once, at the end."""

import numpy as np
import pytest

from santral.codecs.shape.mix import heard_by_each


def test_each_hears_exactly_the_others() -> None:
    generator = np.random.default_rng(1)
    voices = [generator.integers(-3000, 3000, 160).astype(np.int16) for _ in range(7)]
    heard = [np.frombuffer(each, np.int16) for each in heard_by_each(voices)]
    total = np.sum(voices, axis=0, dtype=np.int32)
    for own, ear in zip(voices, heard, strict=False):
        np.testing.assert_array_equal(ear, total - own)
    np.testing.assert_array_equal(heard[-1], total)


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_beyond_16_bits_are_cut_once(sign: int) -> None:
    voices = [np.full(161, sign * 30000, np.int16) for _ in range(3)] + [np.full(161, sign * -29000, np.int16)]
    heard = [np.frombuffer(each, np.int16) for each in heard_by_each(voices)]
    cut = 32767 if sign > 0 else -32768
    assert set(heard[0]) == {sign * 31000}  # the total of 61,000 is no ear's
    assert set(heard[3]) == {cut}
    assert set(heard[4]) == {cut}


def test_two_hundred_at_full_scale_do_not_wrap() -> None:
    heard = heard_by_each([np.full(8, -32768, np.int16)] * 200)
    assert {np.frombuffer(each, np.int16)[3] for each in heard} == {-32768}


def test_voices_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        heard_by_each([np.zeros(160, np.int16), np.zeros(80, np.int16)])
