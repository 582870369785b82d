"""What the media plane's benchmarks share: a plane as a child process, its legs under load, its counters."""

import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from santral.bench.load.legs import Legs, Said, Window
from santral.bench.measure.result import Setting
from santral.bench.process import Child

SETTLE_S: Final = 1.5  # addresses learnt, jitter buffers settled
ANSWER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Plane:
    """A running plane; leg i of the load faces `ports[i]` of it."""

    child: Child
    ports: list[int]

    def counters(self) -> dict[str, Any]:
        before = self.child.output().count("\n")
        self.child.tell(signal.SIGUSR1)
        give_up = time.monotonic() + ANSWER_S
        while time.monotonic() < give_up:
            lines = self.child.output().split("\n")
            if len(lines) > before + 1:
                return dict(json.loads(lines[before]))
            time.sleep(0.01)
        raise RuntimeError("the plane does not answer")


@contextmanager
def running(setting: Setting, mode: str, peers: list[int]) -> Iterator[Plane]:
    setting.folder.mkdir(parents=True, exist_ok=True)
    child = Child(
        [sys.executable, "-m", "santral.bench.load.plane", mode],
        setting.folder / f"plane-{mode.replace(':', '-').replace('/', '-')}.log",
        core=setting.subject_core,
        stdin=" ".join(map(str, peers)) + "\n",
    )
    with child:
        ports = next(line for line in child.output().splitlines() if line[:1].isdigit())
        yield Plane(child, [int(word) for word in ports.split()])


@dataclass(frozen=True, slots=True)
class Taken:
    """One window, and what the plane's counters and CPU time grew by from just before it to just after."""

    window: Window
    grown: dict[str, float]
    cpu_ns: int

    @property
    def us_per_packet(self) -> float:
        """CPU of the plane for each packet it sent, with all that came before it."""
        return self.cpu_ns / 1000 / max(1.0, self.grown["packets_out"])


def take(plane: Plane, legs: Legs, seconds: float, said: Sequence[Said] = ()) -> Taken:
    """Every leg of the load speaks: stamps, or what `said` has for it. The caller stops whoever was started."""
    for leg, port in enumerate(plane.ports):
        legs.start(leg, port, said[leg] if said else None)
    time.sleep(SETTLE_S)
    before, used = plane.counters(), plane.child.figures().cpu_ns
    window = legs.window(seconds, plane.child)
    after = plane.counters()
    grown = {name: after[name] - before[name] for name in before}
    return Taken(window, grown, plane.child.figures().cpu_ns - used)
