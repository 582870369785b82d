"""Pictures of what was said and heard, and of latencies, drawn with matplotlib without a display."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")
from matplotlib import pyplot as plt

RATE_HZ: Final = 8_000
SAID_COLOUR: Final = "#8c8c8c"
HEARD_COLOUR: Final = "#b1354b"
FULL_SCALE: Final = 32768
NOISE_FLOOR: Final = 1e-6
QUIETEST_DB: Final = -120  # per hertz, of full scale: the colours of the spectrogram
LOUDEST_DB: Final = -35


def speech(title: str, said: NDArray[np.int16], heard: NDArray[np.int16], lag_samples: int, path: Path) -> None:
    """Both waveforms on the heard time line, and the spectrogram of what was heard."""
    figure, (waves, spectrum) = plt.subplots(2, 1, figsize=(10, 5), sharex=True, layout="constrained")
    heard_at = np.arange(len(heard)) / RATE_HZ
    said_at = (np.arange(len(said)) + lag_samples) / RATE_HZ
    waves.plot(said_at, said / FULL_SCALE, color=SAID_COLOUR, linewidth=1.6, label="said")
    waves.plot(heard_at, heard / FULL_SCALE, color=HEARD_COLOUR, linewidth=0.5, label="heard")
    waves.set(title=title, ylabel="level", ylim=(-1, 1))
    waves.legend(loc="upper right")
    shown = np.zeros(max(len(heard), RATE_HZ))
    shown[: len(heard)] = heard / FULL_SCALE
    shown += np.random.default_rng(0).normal(0, NOISE_FLOOR, len(shown))  # digital silence has no logarithm
    spectrum.specgram(shown, NFFT=256, Fs=RATE_HZ, noverlap=192, cmap="magma", vmin=QUIETEST_DB, vmax=LOUDEST_DB)
    spectrum.set(xlabel="seconds", ylabel="Hz", xlim=(0, len(shown) / RATE_HZ))
    _save(figure, path)


def theory(
    panels: Sequence[
        tuple[str, Mapping[str, Sequence[tuple[float, float]]], Mapping[str, Sequence[tuple[float, float, float]]]]
    ],
    path: Path,
) -> None:
    """What theory says as lines and what was simulated as points with their intervals, panel by panel, by occupancy."""
    figure, axes = plt.subplots(2, 4, figsize=(13, 6), layout="constrained")
    axes[0][3].set_axis_off()  # three panels of Erlang C, four of Erlang A
    places = [*axes[0][:3], *axes[1]]
    for axis, (title, lines, points) in zip(places, panels, strict=False):
        for number, (label, line) in enumerate(sorted(lines.items(), key=lambda each: int(each[0].split()[0]))):
            axis.plot(*zip(*line, strict=True), color=f"C{number}", linewidth=1, label=label)
            for at, value, spread in points[label]:
                down, up = value - value / spread, value * spread - value
                axis.errorbar(at, value, [[down], [up]], color=f"C{number}", fmt=".", markersize=3, linewidth=0.7)
        axis.set_yscale("log")
        is_time = title.endswith("speed of answer")
        axis.set_ylim(*((1e-2, 3e3) if is_time else (1e-4, 1.5)))
        axis.set_ylabel("seconds" if is_time else "share")
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("occupancy offered")
    axes[0][0].legend(fontsize=8)
    _save(figure, path)


def latency(curves: Mapping[str, Sequence[tuple[float, int]]], path: Path) -> None:
    """For every curve the share of packets that took longer, both axes logarithmic."""
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for name, histogram in curves.items():
        edges, counts = (np.array(column, float) for column in zip(*histogram, strict=True)) if histogram else ((), ())
        if len(counts):
            axes.step(edges, 1 - np.cumsum(counts) / np.sum(counts) + 1e-9, where="post", label=name)
    axes.set(xscale="log", yscale="log", xlabel="microseconds", ylabel="share of packets slower", ylim=(1e-6, 1.1))
    axes.grid(visible=True, which="both", alpha=0.3)
    if curves:
        axes.legend()
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110)
    plt.close(figure)
