"""`codecs`: what each piece of signal processing costs for one frame of 20 ms, alone on its core."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from santral.bench.measure.result import Result, Row, Setting
from santral.codecs import CODECS, Codec, Decoder, Encoder, Parameters
from santral.codecs.comfort_noise import NoiseSource
from santral.codecs.g711 import translated
from santral.codecs.shape.conceal import Concealer
from santral.codecs.shape.level import AutomaticGain
from santral.codecs.shape.mix import heard_by_each
from santral.codecs.shape.resample import Resampler
from santral.codecs.shape.stretch import stretched

Samples = NDArray[np.int16]

FRAMES: Final = 400  # in a row, so that one call from Python is divided by many frames
REPEATS: Final = 15  # the best of them counts: whatever disturbs can only add
STREAMS: Final = ("PCMU/8000", "PCMA/8000", "L16/8000", "L16/16000", "G722/8000")  # any length in one call
OPUS_RATES: Final = (8000, 16000, 48000)
RATES: Final = (8000, 16000, 24000, 48000)


def run(setting: Setting) -> Result:
    result = Result("codecs")
    frames, repeats = (20, 1) if setting.quick else (FRAMES, REPEATS)
    for key in STREAMS:
        both(result, key, *stream_cost(CODECS[key], frames, repeats))
    for hz in OPUS_RATES:
        if CODECS["opus/48000/2"].can_transcode:
            both(result, f"opus at {hz // 1000} kHz", *opus_cost(hz, frames, repeats))
    for what, task, divisor in others(frames):
        cost = best(task, repeats) / divisor
        result.rows.append(Row(what, f"{cost:.2f} us"))
        result.data[what] = cost
    return result


def both(result: Result, what: str, encode_us: float, decode_us: float) -> None:
    result.rows.append(Row(what, f"encode {encode_us:.2f} us, decode {decode_us:.2f} us"))
    result.data[what] = [encode_us, decode_us]


def best(task: Callable[[], object], repeats: int) -> float:
    """The shortest of some runs, in microseconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter_ns()
        task()
        times.append(time.perf_counter_ns() - began)
    return min(times) / 1000


def voice(hz: int, frames: int) -> Samples:
    """Harmonics of a wandering pitch over faint noise: what a codec works on, unlike silence."""
    time_s = np.arange(hz // 50 * frames) / hz
    pitch = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * 0.7 * time_s)) / hz
    harmonics = sum(np.sin(k * pitch) / k for k in range(1, 24))
    noise = np.random.default_rng(1).standard_normal(time_s.size)
    return np.asarray(3000 * harmonics * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * time_s)) + 60 * noise, np.int16)


def stream_cost(codec: Codec, frames: int, repeats: int) -> tuple[float, float]:
    samples = voice(codec.sample_hz, frames).tobytes()
    encoder, decoder = Encoder(codec), Decoder(codec)
    wire = encoder.encode(samples)
    encode = best(lambda: encoder.encode(samples), repeats)
    return encode / frames, best(lambda: decoder.decode(wire), repeats) / frames


def opus_cost(hz: int, frames: int, repeats: int) -> tuple[float, float]:
    samples, n = voice(hz, frames), hz // 50
    pieces = [samples[at : at + n].tobytes() for at in range(0, samples.size, n)]
    asked = Parameters(hz, bitrate=24000)
    encoder, decoder = Encoder(CODECS["opus/48000/2"], asked), Decoder(CODECS["opus/48000/2"], asked)
    packets = [encoder.encode(piece) for piece in pieces]
    encode = best(lambda: [encoder.encode(piece) for piece in pieces], repeats)
    return encode / frames, best(lambda: [decoder.decode(packet) for packet in packets], repeats) / frames


def others(frames: int) -> list[tuple[str, Callable[[], object], int]]:
    """What, a task, and by how many frames its time is divided."""
    narrow = voice(8000, frames)
    pieces = [narrow[at : at + 160] for at in range(0, narrow.size, 160)]
    law = bytes(range(256)) * (160 * frames // 256)
    concealer, gain, noise = Concealer(8000), AutomaticGain(8000), NoiseSource()
    noise.follow(bytes([50, 100, 140]))
    found: list[tuple[str, Callable[[], object], int]] = [
        ("PCMU to PCMA by table", lambda: translated(law, to_mu_law=False), len(law) // 160),
        (
            "concealment, nothing lost, with the call from Python",
            lambda: [concealer.good(each.data) for each in pieces],
            frames,
        ),
        ("concealment, one lost frame", lambda: (concealer.good(pieces[0].data), concealer.lost(160)), 1),
        ("automatic gain, with the call from Python", lambda: [gain(each.data) for each in pieces], frames),
        ("comfort noise", lambda: noise.fill(160 * frames), frames),
        ("one pitch period more, of 40 ms", lambda: stretched(narrow[:320].data, 8000, longer=True), 1),
        ("room of 4, all four listeners", lambda: heard_by_each([narrow.data] * 4), frames),
    ]
    for come in RATES:
        for go in RATES:
            if come != go:
                resampler, samples = Resampler(come, go), voice(come, frames)
                what = f"resampling {come // 1000} to {go // 1000} kHz"
                found.append((what, lambda one=resampler, of=samples: one(of.data), frames))  # type: ignore[misc]
    return found
