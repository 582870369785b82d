"""`detect`: how many real-time streams of 8 kHz one core listens to, beside spandsp's receiver in the same run.

spandsp (Debian libspandsp2) is called by address, for comparison only; without it its column stays empty.
"""

import ctypes
import ctypes.util
import time
import wave
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from santral.bench.measure.result import Result, Row, Setting
from santral.codecs.detect.dtmf import DtmfDetector
from santral.codecs.detect.tones import ToneDetector
from santral.codecs.detect.voice import VoiceDetector
from santral.codecs.generate.score import Score, ScorePlayer

SOUNDS: Final = Path(__file__).resolve().parents[2] / "engine/sounds"
RATE_HZ: Final = 8000
SECONDS: Final = 120
REPEATS: Final = 9  # in turns; the best of each counts
CHUNK_BYTES: Final = 320 * 50  # a second: the cost of calling from Python is not what is measured
STREAMS_MIN: Final = 10_000
RATIO_MIN: Final = 0.5
Feed = Callable[[bytes], object]


def run(setting: Setting) -> Result:
    result = Result("detect")
    seconds, repeats = (2, 1) if setting.quick else (SECONDS, REPEATS)
    for name, sound in {"speech": speech(seconds), "digits 50/50 ms": digits(seconds), "noise": noise(seconds)}.items():
        feeds: dict[str, Callable[[], Feed]] = {"dtmf": lambda: DtmfDetector().feed} | spandsp()
        streams = measured(feeds, sound, repeats)
        beside = streams.get("spandsp")
        ratio = streams["dtmf"] / beside if beside else None
        result.rows.append(
            Row(
                f"digits looked for in {name}",
                f"{streams['dtmf']:,.0f} streams a core",
                f"spandsp {beside:,.0f}, ratio {ratio:.2f}" if beside else "spandsp is not installed",
                f"{STREAMS_MIN:,}, ratio {RATIO_MIN}",
                None if setting.quick else streams["dtmf"] >= STREAMS_MIN and (ratio is None or ratio >= RATIO_MIN),
            )
        )
        result.data[name] = streams
    others: Mapping[str, Callable[[], Feed]] = {
        "tones": lambda: ToneDetector().feed,
        "voice activity": lambda: VoiceDetector().feed,
    }
    for name, count in measured(others, speech(seconds), repeats).items():
        result.rows.append(Row(f"{name} looked for in speech", f"{count:,.0f} streams a core"))
        result.data[name] = count
    return result


def measured(feeds: Mapping[str, Callable[[], Feed]], sound: bytes, repeats: int) -> dict[str, float]:
    """Seconds of sound per second of processor, of each in turns."""
    best = dict.fromkeys(feeds, float("inf"))
    pieces = [sound[a:b] for a, b in pairwise([*range(0, len(sound), CHUNK_BYTES), len(sound)])]
    for _ in range(repeats):
        for name, make in feeds.items():
            feed = make()
            began = time.thread_time_ns()
            for piece in pieces:
                feed(piece)
            best[name] = min(best[name], (time.thread_time_ns() - began) / 1e9)
    return {name: len(sound) / 2 / RATE_HZ / spent for name, spent in best.items()}


def spandsp() -> dict[str, Callable[[], Feed]]:
    """Its receiver, if it is installed."""
    path = ctypes.util.find_library("spandsp")
    if path is None:
        return {}
    library = ctypes.CDLL(path)
    library.dtmf_rx_init.restype = ctypes.c_void_p
    library.dtmf_rx_init.argtypes = [ctypes.c_void_p] * 3
    library.dtmf_rx.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.dtmf_rx_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]

    state = library.dtmf_rx_init(None, None, None)

    def make() -> Feed:
        library.dtmf_rx_init(state, None, None)
        found = ctypes.create_string_buffer(129)

        def feed(samples: bytes) -> None:
            library.dtmf_rx(state, samples, len(samples) // 2)
            library.dtmf_rx_get(state, found, 128)

        return feed

    return {"spandsp": make}


def speech(seconds: int) -> bytes:
    sound = b""
    for name in ("passage-en.wav", "passage-tr.wav"):
        with wave.open(str(SOUNDS / name)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            sound += samples[:: file.getframerate() // RATE_HZ].tobytes()
    wanted = 2 * RATE_HZ * seconds
    return (sound * (wanted // len(sound) + 1))[:wanted]


def digits(seconds: int) -> bytes:
    sound = ScorePlayer(Score.digits("123A456B789C*0#D", tone_ms=50, gap_ms=50)).render(RATE_HZ * 2)
    wanted = 2 * RATE_HZ * seconds
    return (sound * (wanted // len(sound) + 1))[:wanted]


def noise(seconds: int) -> bytes:
    return (np.random.default_rng(1).standard_normal(RATE_HZ * seconds) * 3000).astype(np.int16).tobytes()
