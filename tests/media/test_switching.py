"""A live leg goes from relay to tap to transcoding to mixing and back a thousand times: what is heard has no seam.

The speaker says a tone whose frames are all different, so every frame heard is known by its bytes. What is not the
speaker's was made up here. A tone follows from its two samples before: what does not is a click.
"""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count, pairwise

import numpy as np

from santral.codecs import CODECS

PCMA, PCMU = CODECS["PCMA/8000"], CODECS["PCMU/8000"]
A_LAW = {"receives": {8: "PCMA/8000", 0: "PCMU/8000"}, "sends": {"PCMA/8000": 8}}
MU_LAW = {"receives": {8: "PCMA/8000", 0: "PCMU/8000"}, "sends": {"PCMU/8000": 0}}
HZ, LOUD = 431.7, 1000.0
CLICK = 32768 * 10 ** (-40 / 20)
PAIRS, CYCLES, STEP_S = 10, 25, 0.07  # four switches a cycle


@dataclass
class Line:
    """Two peers; one speaks, the other is judged."""

    stage: object
    a: object
    b: object
    leg_a: object
    leg_b: object
    room: object
    frames: object = field(default_factory=count)
    said: dict[bytes, int] = field(default_factory=dict)
    heard: list = field(default_factory=list)
    switches: int = 0

    def speak(self) -> None:
        n = next(self.frames)
        at = np.arange(160 * n, 160 * n + 160) / 8000
        wire = PCMA.encode((LOUD * np.sin(2 * np.pi * HZ * at)).astype(np.int16).tobytes())
        self.said[wire] = self.said[PCMU.encode(PCMA.decode(wire))] = n
        self.a.send(self.leg_a, wire, 8, sequence=n & 0xFFFF, timestamp=160 * n)
        self.b.send(self.leg_b, b"\xd5" * 160, 8, sequence=n & 0xFFFF, timestamp=160 * n)
        self.heard += self.b.heard()
        self.a.heard()

    async def switch(self) -> None:
        plane = self.stage.plane
        for _ in range(CYCLES):
            tap = self.leg_a.tap()
            await self.stay()
            self.leg_b.set_remote(self.stage.remote(self.b, **MU_LAW))
            await self.stay()
            tap.close()
            self.leg_b.set_remote(self.stage.remote(self.b, **A_LAW))
            self.room.join(self.leg_a)
            self.room.join(self.leg_b)
            await self.stay()
            plane.bridge(self.leg_a, self.leg_b)
            await self.stay()

    async def stay(self) -> None:
        self.switches += 1
        await asyncio.sleep(STEP_S)


def judge(line: Line) -> dict[str, int]:
    packets = line.heard
    numbers = [line.said.get(p.payload, -1) for p in packets]
    known = [n for n in numbers if n >= 0]
    samples = np.concatenate([
        np.frombuffer((PCMU if p.payload_type == 0 else PCMA).decode(p.payload), np.int16).astype(float)
        for p in packets
    ])  # fmt: skip
    follows = 2 * np.cos(2 * np.pi * HZ / 8000) * samples[1:-1] - samples[:-2]
    return {
        "switches": line.switches,
        "lost": sum(max(0, y - x - 1) for x, y in pairwise(known)),
        "longest_loss": max(y - x - 1 for x, y in pairwise(known)),
        "repeated": sum(x == y for x, y in pairwise(known)),
        "back": sum(y < x for x, y in pairwise(known)),
        "made_up": numbers.count(-1),
        "holes": sum((y.timestamp - x.timestamp) & 0xFFFFFFFF != 160 for x, y in pairwise(packets)),
        "gaps": sum((y.sequence - x.sequence) & 0xFFFF != 1 for x, y in pairwise(packets)),
        "clicks": int(np.sum(np.abs(samples[2:] - follows) > CLICK)),
    }


async def test_a_thousand_switches_leave_no_trace(stage) -> None:
    lines = []
    for _ in range(PAIRS):
        a, b = stage.peer(), stage.peer()
        leg_a, leg_b = stage.leg(a, **A_LAW), stage.leg(b, **A_LAW)
        stage.plane.bridge(leg_a, leg_b)
        lines.append(Line(stage, a, b, leg_a, leg_b, stage.plane.open_room(levels=True)))
    work = asyncio.gather(*(line.switch() for line in lines))
    began, ticks = time.monotonic(), 0
    while not work.done() or ticks % 50:
        for line in lines:
            line.speak()
        ticks += 1
        await asyncio.sleep(max(0.0, began + ticks * 0.02 - time.monotonic()))
    await work
    found = [judge(line) for line in lines]
    total = {name: sum(one[name] for one in found) for name in found[0]}
    assert total.pop("switches") == 1000
    assert max(one["longest_loss"] for one in found) <= 1, total
    assert total["back"] == total["repeated"] == total["clicks"] == 0, total
    assert total["gaps"] <= total["lost"], total  # the numbers tell of a frame that is gone, and of nothing else
