"""The row of facts: what every codec promises to those who handle payloads without knowing the codec."""

import pytest

from santral.codecs import CODECS, Codec, Decoder, Encoder, Parameters

EVERY = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)


def test_codecs_are_found_by_what_rtpmap_says() -> None:
    assert all(codec.key == key for key, codec in CODECS.items())
    assert {codec.key: codec.payload_type for codec in CODECS.values() if codec.payload_type is not None} == {
        "PCMU/8000": 0,
        "PCMA/8000": 8,
        "G722/8000": 9,
        "G729/8000": 18,
        "L16/44100": 11,
    }


@EVERY
@pytest.mark.parametrize("frame_ms", [10, 20, 30, 40, 60])
def test_frame_arithmetic_agrees_with_what_is_encoded_and_decoded(codec: Codec, frame_ms: int) -> None:
    if not codec.can_transcode:
        return
    for hz in codec.rates:
        fits_ms = codec.frame_ms(frame_ms)
        samples = hz * fits_ms // 1000
        encoder = Encoder(codec, Parameters(hz, fits_ms))
        decoder = Decoder(codec, Parameters(hz, fits_ms))
        wire = encoder.encode(bytes(2 * samples))
        assert codec.span(wire, hz) == samples
        assert len(decoder.decode(wire)) == 2 * samples
        assert codec.ticks(samples, hz) == codec.clock_hz * fits_ms // 1000


@EVERY
def test_a_rate_the_codec_does_not_have_is_refused(codec: Codec) -> None:
    for make in (Encoder, Decoder):
        with pytest.raises(ValueError, match=codec.name):
            make(codec, Parameters(11025))


@EVERY
def test_nothing_becomes_nothing(codec: Codec) -> None:
    if codec.can_transcode:
        assert codec.encode(b"") == codec.decode(b"") == b""


@EVERY
def test_half_a_sample_is_refused(codec: Codec) -> None:
    if codec.can_transcode:
        with pytest.raises(ValueError, match="3 bytes"):
            codec.encode(b"abc")


def test_g729_is_passed_through_and_its_payloads_have_lengths() -> None:
    g729 = CODECS["G729/8000"]
    assert not g729.can_transcode
    assert [g729.span(bytes(n)) for n in (10, 20, 60, 2, 22)] == [80, 160, 480, 80, 240]
    for n in (1, 9, 11, 15):
        with pytest.raises(ValueError, match="not a whole frame"):
            g729.span(bytes(n))
    with pytest.raises(ValueError, match="cannot be decoded here"):
        g729.decode(bytes(20))
