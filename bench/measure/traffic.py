"""The two things that carry the same RTP load: the bare relay, and the engine with bridged calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from santral.bench import baseline
from santral.bench.load.legs import Legs, Window
from santral.bench.measure.result import Setting
from santral.bench.process import Child
from santral.bench.subject import Subject

SETTLE_S: Final = 1.0  # after the last leg has started: addresses learnt, caches warm
LAST_S: Final = 0.1  # nothing is on its way any more when sockets close


@dataclass(frozen=True, slots=True)
class Ground:
    """A running engine and the legs that can go through it, or past it through the bare relay, on the same core."""

    setting: Setting
    legs: Legs
    subject: Subject
    engine: Child

    async def through_relay(self, count: int, seconds: float) -> Window:
        """`count` legs through the bare relay."""
        ports = self.legs.ports[:count]
        relay = baseline.prepare(self.setting.folder, ports, self.setting.subject_core)
        with relay.child as child:
            for leg in range(count):
                self.legs.start(leg, relay.first_port + leg)
            await asyncio.sleep(SETTLE_S)
            window = await asyncio.to_thread(self.legs.window, seconds, child)
            self.legs.stop_all()
            await asyncio.sleep(LAST_S)
            return window

    async def through_engine(self, calls: int, seconds: float, per_second: float) -> Window:
        """`calls` bridged calls, two legs each; all are hung up at the end."""
        await self.subject.load.ramp(calls, per_second)
        await asyncio.sleep(SETTLE_S)
        window = await asyncio.to_thread(self.legs.window, seconds, self.engine)
        await self.subject.load.hang_up_all(per_second)
        return window


@asynccontextmanager
async def ground(setting: Setting, name: str, calls: int) -> AsyncIterator[Ground]:
    """Legs for so many calls and an engine that will bridge them; everything ends with the block."""
    with Legs(2 * calls, core=setting.load_core) as legs:
        async with serving(setting, name, legs) as (subject, engine):
            yield Ground(setting, legs, subject, engine)


@asynccontextmanager
async def serving(setting: Setting, name: str, legs: Legs | None) -> AsyncIterator[tuple[Subject, Child]]:
    """An engine in a room of its own and a load that is open."""
    subject = Subject.prepare(setting.room(name), legs)
    with subject.start(setting.subject_core) as engine:
        subject.load.open()
        try:
            yield subject, engine
        finally:
            subject.load.close()
