"""G.711 against the ITU-T vectors, and against the definition where the vectors are not at hand."""

from array import array
from pathlib import Path

import pytest

from santral.codecs import CODECS, Codec
from santral.codecs.g711 import translated

PCMU, PCMA = CODECS["PCMU/8000"], CODECS["PCMA/8000"]
BOTH = pytest.mark.parametrize("codec", [PCMU, PCMA], ids=lambda codec: codec.name)
EVERY_SAMPLE = array("h", range(-32768, 32768))
EVERY_CODE = bytes(range(256))


def decoded(codec: Codec, wire: bytes) -> "array[int]":
    return array("h", codec.decode(wire))


def test_rows_state_the_static_numbers() -> None:
    assert [(c.name, c.payload_type, c.sample_hz, c.clock_hz) for c in (PCMU, PCMA)] == [
        ("PCMU", 0, 8000, 8000),
        ("PCMA", 8, 8000, 8000),
    ]


@pytest.mark.corpus
@pytest.mark.parametrize(("codec", "letter"), [(PCMA, "a"), (PCMU, "u")], ids=["PCMA", "PCMU"])
def test_every_sample_and_code_is_that_of_the_itu(corpus: Path, codec: Codec, letter: str) -> None:
    folder = corpus / "codecs/itu-stl/g711/test_data"
    source = (folder / "sweep.src").read_bytes()
    codes = bytes(array("H", (folder / f"sweep-r.{letter}").read_bytes()))[::2]  # one code in each 16-bit word
    back = (folder / f"sweep-r.re{letter}").read_bytes()
    assert len(source) == 2 * 65536
    assert len(set(codes)) == 256
    assert codec.encode(source) == codes
    assert codec.decode(codes) == back


@BOTH
def test_decoding_and_encoding_a_code_gives_it_back(codec: Codec) -> None:
    again = codec.encode(codec.decode(EVERY_CODE))
    unequal = {(a, b) for a, b in zip(EVERY_CODE, again, strict=True) if a != b}
    assert unequal == ({(0x7F, 0xFF)} if codec is PCMU else set())  # µ-law has two codes for zero


@BOTH
def test_coding_never_reverses_an_order_and_stays_within_half_a_step(codec: Codec) -> None:
    values = decoded(codec, codec.encode(EVERY_SAMPLE.tobytes()))
    assert list(values) == sorted(values)
    for sample, value in zip(EVERY_SAMPLE, values, strict=True):
        clipped = max(-32124, min(32124, sample)) if codec is PCMU else sample
        assert abs(clipped - value) <= max(16, (abs(sample) + 132) >> 5) + 4


def test_known_codes() -> None:
    assert PCMU.encode(array("h", [0, -1, 32767, -32768]).tobytes()) == bytes([0xFF, 0x7F, 0x80, 0x00])
    assert PCMA.encode(array("h", [0, -1, 32767, -32768]).tobytes()) == bytes([0xD5, 0x55, 0xAA, 0x2A])
    assert list(decoded(PCMU, bytes([0xFF, 0x7F, 0x80, 0x00]))) == [0, 0, 32124, -32124]
    assert list(decoded(PCMA, bytes([0xD5, 0x55, 0xAA, 0x2A]))) == [8, -8, 32256, -32256]


def test_one_law_straight_into_the_other_is_decoding_and_encoding() -> None:
    assert translated(EVERY_CODE, to_mu_law=False) == PCMA.encode(PCMU.decode(EVERY_CODE))
    assert translated(EVERY_CODE, to_mu_law=True) == PCMU.encode(PCMA.decode(EVERY_CODE))


@BOTH
def test_buffers_of_any_kind_and_length(codec: Codec) -> None:
    assert codec.encode(b"") == codec.decode(b"") == b""
    samples = EVERY_SAMPLE.tobytes()[:640]
    assert codec.encode(bytearray(samples)) == codec.encode(memoryview(samples)) == codec.encode(samples)
    with pytest.raises(ValueError, match="3 bytes"):
        codec.encode(b"abc")
