"""L16: bit-exact, in network order."""

from array import array

import pytest

from santral.codecs import CODECS

RATES = pytest.mark.parametrize("hz", [8000, 16000, 24000, 44100, 48000])


@RATES
def test_every_sample_survives(hz: int) -> None:
    codec = CODECS[f"L16/{hz}"]
    samples = array("h", range(-32768, 32768))
    wire = codec.encode(samples.tobytes())
    swapped = array("h", samples)
    swapped.byteswap()
    assert wire == swapped.tobytes()
    assert codec.decode(wire) == samples.tobytes()


@RATES
def test_the_high_byte_comes_first(hz: int) -> None:
    assert CODECS[f"L16/{hz}"].encode(array("h", [0x0102, -2]).tobytes()) == b"\x01\x02\xff\xfe"


def test_half_a_sample_is_no_frame() -> None:
    with pytest.raises(ValueError, match="not a whole frame"):
        CODECS["L16/8000"].decode(b"abc")
