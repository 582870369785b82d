"""`mixdown`: from a capture of a G.711 call to a stereo WAV, beside sox and ffmpeg, which mix plain files of the sides.

CPU time of one core, system included: reading, sums, decoding, placing, mixing, writing. Once one side's clock drifts
and the network jitters, as they do; the programs beside it are handed the answer to all that.
"""

import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from santral.bench.measure.result import Result, Row, Setting, median
from santral.bench.process import pinned
from santral.codecs import CODECS
from santral.recorder.capture import CaptureFile, CaptureHeader, CaptureWriter
from santral.recorder.encode import save
from santral.recorder.mixdown import Mixdown, Options

LIMIT: Final = 6000  # times real time
SECONDS: Final = 1800
ROUNDS: Final = 7  # of each, in turns; the median counts
QUICK_SECONDS: Final = 20
HZ: Final = 8000
FRAME: Final = 160
START_NS: Final = 1_000_000_000_000
DRIFT_PPM: Final = 60
JITTER_MS: Final = 8
CODEC: Final = "PCMA/8000"


def run(setting: Setting) -> Result:
    result = Result("mixdown")
    folder = setting.room("mixdown")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seconds, rounds = (QUICK_SECONDS, 1) if setting.quick else (SECONDS, ROUNDS)
    laws = [law_of(seconds, seed) for seed in (1, 2)]
    write_capture(folder / "plain.capture", laws, drift_ppm=0, jitter_ms=0)
    write_capture(folder / "real.capture", laws, drift_ppm=DRIFT_PPM, jitter_ms=JITTER_MS)
    for name, law in zip("ab", laws, strict=True):
        (folder / f"{name}.al").write_bytes(law)
    tasks = candidates(folder)
    ours, real = "mixdown, clocks in step", f"mixdown, {DRIFT_PPM} ppm apart, {JITTER_MS} ms of jitter"
    took: dict[str, list[float]] = {name: [] for name in tasks}
    with pinned(setting.subject_core):
        for _ in range(rounds):
            for name, task in tasks.items():
                took[name].append(cpu_of(task))
    speeds = {name: seconds / median(times) for name, times in took.items()}
    beside = ", ".join(f"{name} {speed:,.0f}" for name, speed in speeds.items() if name not in (ours, real))
    for name in (ours, real):
        per_packet = median(took[name]) / (2 * seconds * HZ / FRAME) * 1e6
        fast = None if setting.quick else speeds[name] >= LIMIT
        measured = f"{speeds[name]:,.0f} x real time, {per_packet:.2f} us a packet"
        result.rows.append(Row(name, measured, beside, f"{LIMIT:,}", fast))
    result.data |= {"seconds": seconds, "times_real_time": speeds}
    shutil.rmtree(folder)
    return result


def candidates(folder: Path) -> dict[str, Callable[[], object]]:
    """Ours, and what this machine has beside it."""
    tasks: dict[str, Callable[[], object]] = {
        "mixdown, clocks in step": lambda: mixed(folder, "plain"),
        f"mixdown, {DRIFT_PPM} ppm apart, {JITTER_MS} ms of jitter": lambda: mixed(folder, "real"),
    }
    raw = ["-t", "al", "-r", str(HZ), "-c", "1"]
    sides = [str(folder / "a.al"), str(folder / "b.al")]
    if shutil.which("sox"):
        wav = ["-b", "16", "-e", "signed-integer", str(folder / "sox.wav")]
        sox = ["sox", "-D", "-M", *raw, sides[0], *raw, sides[1], *wav]
        tasks["sox"] = lambda: subprocess.run(sox, check=True)
    if shutil.which("ffmpeg"):
        inputs = [part for side in sides for part in ("-f", "alaw", "-ar", str(HZ), "-ac", "1", "-i", side)]
        join = ["-filter_complex", "[0:a][1:a]join=inputs=2:channel_layout=stereo", "-c:a", "pcm_s16le"]
        ffmpeg = ["ffmpeg", "-v", "error", "-y", "-threads", "1", *inputs, *join, str(folder / "ffmpeg.wav")]
        tasks["ffmpeg"] = lambda: subprocess.run(ffmpeg, check=True)
    return tasks


def mixed(folder: Path, name: str) -> None:
    with CaptureFile(folder / f"{name}.capture") as capture:
        save(Mixdown([capture], Options()), folder, name, "wav")


def cpu_of(task: Callable[[], object]) -> float:
    """Of this process and of those it started."""
    before = used()
    task()
    return used() - before


def used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def law_of(seconds: int, seed: int) -> bytes:
    """Noise that comes and goes, as loud as speech."""
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0, 3000, seconds * 10), HZ // 10)
    return CODECS[CODEC].encode(
        (loud * rng.standard_normal(seconds * HZ)).clip(-32768, 32767).astype(np.int16).tobytes()
    )


def write_capture(path: Path, laws: list[bytes], *, drift_ppm: float, jitter_ms: float) -> None:
    """As the media plane leaves it: packets of both sides by time of arrival, in chunks."""
    count = len(laws[0]) // FRAME
    rng = np.random.default_rng(3)
    rows: list[tuple[NDArray[np.int64], int]] = []
    for stream in range(2):
        sent_ns = np.arange(count) * 20e6 * (1 + (drift_ppm * 1e-6 if stream else 0))
        rows.append(((START_NS + sent_ns + rng.uniform(0, jitter_ms * 1e6, count)).astype(np.int64), stream))
    arrivals = np.concatenate([times for times, _ in rows])
    with CaptureWriter(path, CaptureHeader("bench", "bench", "bench", START_NS, START_NS)) as capture:
        capture.codec(1, CODEC)
        for stream, role in enumerate(("originating", "connected")):
            capture.stream(stream, START_NS, leg=role, side="said", role=role)
        put: Any = capture.packet
        for k in np.argsort(arrivals, kind="stable").tolist():
            stream, i = divmod(k, count)
            payload = laws[stream][i * FRAME : (i + 1) * FRAME]
            put(stream, int(arrivals[k]), i * FRAME & 0xFFFFFFFF, stream + 1, i & 0xFFFF, 1, payload)
        capture.end(START_NS + count * 20_000_000, "done")
