"""When the agent's timers are looked at: as soon as one is due, but not for each of thousands that end together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from santral.engine.signalling import TICK_S, Signalling
from santral.sip.agent import AgentSettings


@dataclass
class Clock:
    """A loop of which only the time and the next alarm matter."""

    now: float = 0.0
    alarm: float | None = None
    ring: Callable[[], None] = field(default=lambda: None)

    def time(self) -> float:
        return self.now

    def call_at(self, moment: float, ring: Callable[[], None]) -> Any:
        self.alarm, self.ring = moment, ring
        return SimpleNamespace(cancel=self.silence)

    def silence(self) -> None:
        self.alarm = None


def test_timers_are_looked_at_when_due_and_no_oftener_than_every_tick() -> None:
    clock, due, looked = Clock(), [1.0], list[float]()
    signalling = Signalling(clock, (), AgentSettings(), lambda _: None)  # type: ignore[arg-type]

    def tick(now: float) -> list[Any]:
        looked.append(now)
        due.pop(0)
        return []

    signalling.agent = SimpleNamespace(next_deadline=lambda: due[0] if due else None, tick=tick)  # type: ignore[assignment]
    signalling.perform(())
    assert clock.alarm == 1.0
    due += [1.001, 1.002, 1.5]
    for now, then in ((1.0, 1.0 + TICK_S), (1.005, 1.0 + 2 * TICK_S), (1.01, 1.5)):
        clock.now, clock.alarm = now, None
        clock.ring()
        assert clock.alarm == pytest.approx(then)  # late by one tick at most
    due.insert(0, 1.2)
    signalling.perform(())
    assert clock.alarm == 1.2
    due[0] = 1.4
    signalling.perform(())
    assert clock.alarm == 1.2  # what rings earlier looks again
    assert looked == [1.0, 1.005, 1.01]
