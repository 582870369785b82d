"""G.722 against the ITU-T vectors and against ffmpeg's."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from santral.codecs import CODECS, Decoder, Encoder, Parameters
from santral.codecs.g722 import decoded_bands, encoded_bands

G722 = CODECS["G722/8000"]
BITRATES = {1: 64000, 2: 56000, 3: 48000}


def noise(seconds: float, level: float = 3000.0) -> npt.NDArray[np.int16]:
    """Noise whose loudness and colour wander, so that every part of the coder has work."""
    generator = np.random.default_rng(722)
    white = generator.standard_normal(int(16000 * seconds))
    coloured = np.convolve(white, [1, 1.6, 1.2, 0.4], mode="same")
    loudness = np.interp(np.arange(white.size), np.linspace(0, white.size, 20), generator.uniform(0, 1, 20) ** 4)
    return np.clip(coloured * loudness * level * 8, -32768, 32767).astype(np.int16)


@pytest.mark.corpus
def test_encoding_is_that_of_the_itu(corpus: Path) -> None:
    folder = corpus / "codecs/itu-stl/g722/test_data"
    codes = np.fromfile(folder / "codspw.cod", "<u2").astype(np.uint8).tobytes()
    assert len(codes) == 48768
    assert G722.encode((folder / "inpsp.bin").read_bytes()) == codes


@pytest.mark.corpus
@pytest.mark.parametrize("mode", BITRATES)
def test_decoding_in_each_mode_is_that_of_the_itu(corpus: Path, mode: int) -> None:
    folder = corpus / "codecs/itu-stl/g722/test_data"
    codes = np.fromfile(folder / "codspw.cod", "<u2").astype(np.uint8).tobytes()
    decoder = Decoder(G722, Parameters(bitrate=BITRATES[mode]))
    assert decoder.decode(codes) == (folder / f"outsp{mode}.bin").read_bytes()


def words(path: Path) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """The words of a digital test sequence and which of them ask for a reset, in lowest bit."""
    read = np.fromfile(path, ">i2")
    return read, (read & 1).astype(bool)


@pytest.mark.corpus
@pytest.mark.parametrize(("source", "codes"), [("bt1c1.xmt", "bt2r1.cod"), ("bt1c2.xmt", "bt2r2.cod")])
def test_band_encoders_follow_the_digital_test_sequences(corpus: Path, source: str, codes: str) -> None:
    read, is_reset = words(corpus / "codecs/g722-itu" / source)
    expected, _ = words(corpus / "codecs/g722-itu" / codes)
    live = ~is_reset
    ours = np.frombuffer(encoded_bands((read[live] >> 1).astype(np.int16)), np.uint8)
    assert live.sum() > 700
    np.testing.assert_array_equal(ours, (expected[live].astype(np.uint16) >> 8).astype(np.uint8))


@pytest.mark.corpus
@pytest.mark.parametrize("mode", BITRATES)
@pytest.mark.parametrize(("number", "codes"), [(1, "bt2r1.cod"), (2, "bt2r2.cod"), (3, "bt1d3.cod")])
def test_band_decoders_follow_the_digital_test_sequences(corpus: Path, number: int, codes: str, mode: int) -> None:
    folder = corpus / "codecs/g722-itu"
    read, is_reset = words(folder / codes)
    live = ~is_reset
    bands = decoded_bands((read[live].astype(np.uint16) >> 8).astype(np.uint8).tobytes(), mode)
    low, high = (words(folder / name)[0] for name in (f"bt3l{number}.rc{mode}", f"bt3h{number}.rc0"))
    assert live.sum() > 700
    np.testing.assert_array_equal([one for one, _ in bands], low[live] >> 1)
    np.testing.assert_array_equal([one for _, one in bands], high[live] >> 1)


def test_ffmpeg_encodes_and_decodes_the_same() -> None:
    samples = noise(2)
    ours = G722.encode(samples.tobytes())
    encoder = av.CodecContext.create("g722", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 16000, "mono", av.AudioFormat("s16")
    theirs = b""
    for at in range(0, samples.size, 320):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + 320], format="s16", layout="mono")
        frame.sample_rate = 16000
        theirs += b"".join(bytes(packet) for packet in encoder.encode(frame))
    assert ours == theirs
    decoder = av.CodecContext.create("g722", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = 16000, "mono"
    decoded = np.concatenate([frame.to_ndarray()[0] for frame in decoder.decode(av.Packet(ours))])
    assert G722.decode(ours) == decoded.astype(np.int16).tobytes()


def test_how_a_stream_is_cut_changes_nothing() -> None:
    samples = noise(0.5).tobytes()
    whole = G722.encode(samples)
    encoder, decoder = Encoder(G722), Decoder(G722)
    cuts = [0, 4, 640, 648, 2000, 2004, len(samples)]
    parts = [encoder.encode(samples[a:b]) for a, b in pairwise(cuts)]
    assert b"".join(parts) == whole
    assert b"".join(decoder.decode(part) for part in parts) == G722.decode(whole)


def test_extremes_saturate_and_do_not_wrap() -> None:
    samples = np.resize(np.repeat(np.array([32767, -32768], np.int16), 40), 16000)
    decoded = np.frombuffer(G722.decode(G722.encode(samples.tobytes())), np.int16).astype(float)
    assert np.corrcoef(decoded[22:], samples[:-22])[0, 1] > 0.97


def test_a_bit_rate_that_is_no_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="parameters"):
        Decoder(G722, Parameters(bitrate=32000))
