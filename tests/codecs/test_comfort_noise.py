"""Comfort noise: what is described sounds like what was heard, in our ears and in ffmpeg's."""

import av
import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal

from santral.codecs.comfort_noise import NoiseSource, described

Samples = npt.NDArray[np.int16]
COLOURS = {
    "white": [1.0],
    "low": [1, -0.9],
    "high": [1, 0.9],
    "hum": [1, -1.2, 0.8],
}
COLOURED = pytest.mark.parametrize("colour", COLOURS)


def background(colour: str, rms: float = 300, n: int = 24000) -> Samples:
    white = np.random.default_rng(13).standard_normal(n)
    noise = signal.lfilter([1.0], COLOURS[colour], white)
    return np.round(noise * rms / np.std(noise)).astype(np.int16)


def spectrum_db(samples: Samples) -> npt.NDArray[np.float64]:
    power = signal.welch(samples.astype(float), 8000, nperseg=128)[1]
    return np.asarray(10 * np.log10(power + 1e-9))[2:-2]


def followed(payload: bytes, n: int = 24000) -> Samples:
    source = NoiseSource()
    source.follow(payload)
    return np.frombuffer(source.fill(n), np.int16)


@COLOURED
@pytest.mark.parametrize("rms", [30, 300, 3000])
def test_noise_has_the_level_and_the_spectrum_of_what_was_heard(colour: str, rms: float) -> None:
    heard = background(colour, rms)
    payload = described(heard, 160)
    made = followed(payload)
    assert payload[0] == round(-20 * np.log10(rms / 32768))
    assert abs(spectrum_db(made).mean() - spectrum_db(heard).mean()) < 1
    assert np.abs(spectrum_db(made) - spectrum_db(heard)).mean() < 1.5
    imitation = NoiseSource()
    imitation.imitate(heard, 160)
    assert np.abs(spectrum_db(np.frombuffer(imitation.fill(24000), np.int16)) - spectrum_db(heard)).mean() < 1.5


@COLOURED
def test_ffmpeg_describes_it_so_too(colour: str) -> None:
    heard = background(colour)
    encoder = av.CodecContext.create("comfortnoise", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", av.AudioFormat("s16")
    payloads = []
    for at in range(0, heard.size - 639, 640):
        frame = av.AudioFrame.from_ndarray(heard[None, at : at + 640], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 8000, at
        payloads += [bytes(packet) for packet in encoder.encode(frame)]
    ours = described(heard, 640)
    assert abs(payloads[-1][0] - ours[0]) <= 1
    assert abs(payloads[-1][1] - ours[1]) < 12
    assert np.abs(spectrum_db(followed(payloads[-1])) - spectrum_db(heard)).mean() < 3


@COLOURED
def test_ffmpeg_makes_noise_of_the_same_colour(colour: str) -> None:
    heard = background(colour)
    decoder = av.CodecContext.create("comfortnoise", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = 8000, "mono"
    payload = described(heard, 160)
    theirs = np.concatenate([frame.to_ndarray()[0] for _ in range(40) for frame in decoder.decode(av.Packet(payload))])
    difference = spectrum_db(theirs) - spectrum_db(followed(payload))
    assert np.abs(difference - difference.mean()).mean() < 2


def test_a_new_description_is_approached_and_not_jumped_at() -> None:
    source = NoiseSource()
    source.follow(bytes([30, 127]))
    source.fill(1600)
    source.follow(bytes([70, 127]))
    parts = np.frombuffer(source.fill(1600), np.int16).astype(float).reshape(10, 160).std(axis=1)
    assert parts[0] > 4 * parts[-1] > 0
    assert np.all(np.diff(parts) < parts[:-1] * 0.2)


def test_silence_until_something_is_described() -> None:
    assert NoiseSource().fill(160) == bytes(320)
    assert described(np.zeros(1600, np.int16), 160) == bytes([127] * 9)
    assert np.abs(followed(bytes([127] * 9))).max() <= 1


def test_any_payload_gives_noise_of_at_most_full_scale() -> None:
    generator = np.random.default_rng(14)
    for _ in range(300):
        source = NoiseSource(seed=int(generator.integers(1, 1 << 32)))
        source.follow(generator.bytes(int(generator.integers(1, 30))))
        source.fill(800)
        source.follow(b"\x00" + bytes([int(generator.choice([0, 254, 255]))]) * 12)
        source.fill(800)
    with pytest.raises(ValueError, match="empty"):
        NoiseSource().follow(b"")
