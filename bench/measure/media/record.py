"""`record`: what recording adds to the relay of a packet, and 500 calls recorded at once with every packet in its file.

The same load is relayed plain and recorded, in interleaved pairs: CPU of the media thread, which calls depend on, and
of the whole process, with the threads that bring packets to disk. Then all the calls for a minute: every file is read
back, and each side of each call must have all sequence numbers that were sent.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from santral.bench.load.legs import Legs
from santral.bench.measure.plane import Plane, Taken, running, take
from santral.bench.measure.result import Result, Row, Setting, median
from santral.recorder.capture import CaptureFile

LEGS: Final = 600
PAIRS: Final = 5
SECONDS: Final = 4.0
MANY_LEGS: Final = 1000
MANY_SECONDS: Final = 60.0
MOST_TIMES_RELAY: Final = 1.6


def run(setting: Setting) -> Result:
    legs, pairs, seconds = (20, 1, 1.0) if setting.quick else (LEGS, PAIRS, SECONDS)
    result = Result("record")
    taken = [(_plain(setting, legs, seconds), _recorded(setting, legs, seconds)) for _ in range(pairs)]
    _compare(result, taken, legs, is_quick=setting.quick)
    many, minute = (20, 2.0) if setting.quick else (MANY_LEGS, MANY_SECONDS)
    _all_at_once(result, setting, many, minute)
    return result


def _plain(setting: Setting, count: int, seconds: float) -> Taken:
    with Legs(count, core=setting.load_core) as legs, running(setting, "relay", legs.ports) as plane:
        return take(plane, legs, seconds)


def _recorded(setting: Setting, count: int, seconds: float) -> Taken:
    with (
        captures_of(setting) as folder,
        Legs(count, core=setting.load_core) as legs,
        recording(setting, folder, legs) as plane,
    ):
        return take(plane, legs, seconds)


@contextmanager
def captures_of(setting: Setting) -> Iterator[Path]:
    """A folder on the disk that recordings would be on, gone afterwards."""
    folder = setting.room("record")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def recording(setting: Setting, folder: Path, legs: Legs) -> Iterator[Plane]:
    with running(setting, f"record:{folder}", legs.ports) as plane:
        yield plane


def media_us(taken: Taken) -> float:
    """CPU of the media thread for each packet."""
    return taken.grown["media_cpu_ns"] / 1000 / max(1.0, taken.grown["packets_out"])


def _compare(result: Result, taken: list[tuple[Taken, Taken]], legs: int, *, is_quick: bool) -> None:
    ratios, whole = [], []
    for number, (plain, recorded) in enumerate(taken, 1):
        ratios.append(media_us(recorded) / media_us(plain))
        whole.append(recorded.us_per_packet / plain.us_per_packet)
        doubt = plain.window.doubt or recorded.window.doubt
        result.rows.append(
            Row(
                f"pair {number}, {legs} legs, media thread",
                f"{media_us(recorded):.2f} us/packet",
                f"relay {media_us(plain):.2f}, ratio {ratios[-1]:.2f}",
                f"in doubt: {doubt}" if doubt else "",
            )
        )
        result.rows.append(
            Row(
                f"pair {number}, whole process",
                f"{recorded.us_per_packet:.2f} us/packet",
                f"relay {plain.us_per_packet:.2f}, ratio {whole[-1]:.2f}",
            )
        )
    middle = median(ratios)
    for what, ratio in (("media thread", middle), ("whole process", median(whole))):
        ok = None if is_quick else ratio <= MOST_TIMES_RELAY
        result.rows.append(Row(f"{what}, median ratio to relay", f"{ratio:.3f}", "", f"at most {MOST_TIMES_RELAY}", ok))
    result.data = {"ratio_median": middle, "ratios": ratios, "whole_ratio_median": median(whole), "whole_ratios": whole}


@dataclass(frozen=True, slots=True)
class Files:
    """What stands in all captures of a folder."""

    captures: int
    packets: int
    complete: int
    gaps: int  # sequence numbers that are not there, within their streams
    damaged: int
    megabytes: float


def _all_at_once(result: Result, setting: Setting, count: int, seconds: float) -> None:
    with captures_of(setting) as folder:
        with Legs(count, core=setting.load_core) as legs, recording(setting, folder, legs) as plane:
            taken = take(plane, legs, seconds)
            legs.stop_all()
            at_end = plane.counters()
        found = read_all(folder)
    lost, dropped = taken.window.lost, at_end["captured_dropped"]
    missing = max(0, int(at_end["packets_in"]) - found.packets)  # files also have what came behind that look
    calls = count // 2
    result.rows += [
        Row(f"{calls} calls recorded for {seconds:.0f} s, packets", f"{found.packets}", taken.window.doubt),
        Row("lost on their way through", f"{lost}", "", "none", lost == 0),
        Row("found no room", f"{dropped}", "", "none", dropped == 0),
        Row("received, but in no file", f"{missing}", "", "none", missing == 0),
        Row("gaps in the files", f"{found.gaps}", "", "none", found.gaps == 0 and found.damaged == 0),
        Row("complete files", f"{found.complete}", "", f"{calls}", found.complete == calls),
        Row("media thread", f"{media_us(taken):.2f} us/packet", f"whole process {taken.us_per_packet:.2f}"),
        Row("written", f"{found.megabytes / max(1.0, seconds):.1f} MB/s", f"{found.megabytes:.0f} MB"),
    ]
    result.data |= {"calls": calls, "packets": found.packets, "lost": lost, "dropped": dropped, "missing": missing}


def read_all(folder: Path) -> Files:
    packets = complete = gaps = damaged = captures = size = 0
    for path in sorted(folder.glob("*.capture")):
        captures += 1
        size += path.stat().st_size
        with CaptureFile(path) as capture:
            rows = capture.read().packets
            complete += capture.is_complete
            damaged += len(capture.damage)
        packets += len(rows)
        for stream in np.unique(rows["stream"]):
            numbers = rows["sequence"][rows["stream"] == stream].astype(np.int64)
            gaps += int(np.count_nonzero((np.diff(numbers) & 0xFFFF) != 1))
    return Files(captures, packets, complete, gaps, damaged, size / 1e6)
