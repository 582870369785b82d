"""What survives a restart: who is logged in, on which break and since when, callbacks, and other work, whether it waits
or an agent has it in hand.

Saved thing by thing, a moment after it has changed. Moments are kept in UTC, so that they mean the same after any time.
Calls do not survive, so nothing is kept of those who wait in them; agents who talked are free again.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from santral.engine import log
from santral.engine.acd.callbacks import Promise
from santral.engine.acd.store import State, Store
from santral.routing.acd.events import Completed, Connected, Event
from santral.routing.acd.settings import CALL, CALLBACK, Work
from santral.routing.acd.snapshot import AGENT_TIMES, ITEM_TIMES, RESERVATION_TIMES, WORK_TIMES, work_of

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues
    from santral.routing.acd.distributor import Distributor

SOON_S: Final = 1.0  # changes are gathered for so long
IN_HAND: Final = "in_hand"  # of a work's state: the reservation of the agent who serves it
UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)  # what state of another form leads to
TIMES: Final[Mapping[str, frozenset[str]]] = {
    "agent": frozenset(AGENT_TIMES),
    "item": frozenset(ITEM_TIMES),
    "reservation": frozenset(RESERVATION_TIMES),
    "work": frozenset(WORK_TIMES),
}


@dataclass(frozen=True, slots=True)
class Revived:
    """A distributor that goes on from what was kept, and what it has decided at once."""

    kept: Mapping[str, Any]
    distributor: "Distributor"
    events: list[Event]
    now: float


class Keeping:
    """Notes what has changed, and saves it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, queues: "Queues") -> None:
        self._loop, self._queues = loop, queues
        self._agents: set[str] = set()
        self._works: set[str] = set()
        self._in_hand: dict[str, str] = {}  # other work -> reservation of the agent who serves it
        self._promises: set[str] = set()  # as saved
        self._timer: asyncio.TimerHandle | None = None
        self._log = log.get("queues")

    @property
    def _offset_s(self) -> float:
        """UTC where the loop's clock is 0."""
        return time.time() - self._loop.time()

    async def load(self, store: Store) -> dict[str, Any] | None:
        """What an earlier run has left, as a snapshot for the distributor; None when that is nothing.

        What cannot be read is left behind, and logged without what it says.
        """
        self.forget()
        found, offset_s = await store.all(), self._offset_s
        wall_s = offset_s + self._loop.time()
        agents: dict[str, Any] = {}
        waiting: list[dict[str, Any]] = []
        served: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for (kind, name), state in found.items():
            try:
                if kind == "agent":
                    agents[name] = {**dict(_moved(state, TIMES["agent"], wall_s)), "outside": 0}
                elif kind == "work":
                    item, reservation = _item(state, wall_s)
                    if reservation is None:
                        waiting.append(item)
                    else:
                        self._in_hand[name] = reservation["id"]
                        served.append((item, reservation))
                    self._works.add(name)  # asked again how it stands
                else:
                    started = float(state["started"]) - offset_s
                    self._queues.callbacks.promises[name] = Promise(**{**state, "started": started})
                    self._promises.add(name)
            except UNREADABLE as problem:
                self._log.error("left behind, it cannot be read", kind=kind, name=name, error=type(problem).__name__)
        if not agents and not waiting and not served:
            return None
        items = sorted((*waiting, *(item for item, _ in served)), key=lambda item: int(item["tie"]))
        ties = [int(one["tie"]) for one in (*items, *(reservation for _, reservation in served))]
        in_hand = {id(item) for item, _ in served}
        return {
            "tie": max(ties, default=0),
            "queues": {},
            "agents": agents,
            "items": [item for item in items if id(item) not in in_hand],
            "talking": [item for item, _ in served],
            "reservations": [reservation for _, reservation in served],
        }

    def take_up(self, kept: Mapping[str, Any], now: float) -> list[Work]:
        """Other work that agents had in hand, they have again. Returns that whose agent is there no more.

        `now` is that with which the rest was restored, so that everybody's place is.
        """
        queues, orphans = self._queues, []
        for item, reservation in zip(kept["talking"], kept["reservations"], strict=True):
            one, work = queues.distributor.reservation(reservation["id"]), work_of(item["work"], now)
            if one is not None:
                queues.resume(one)
            elif work.queue in queues.acd.queues:
                orphans.append(work)
        return orphans

    def note(self, event: Event) -> None:
        """This may have changed something that is kept."""
        agent, work = getattr(event, "agent", None), getattr(event, "work", None)
        if agent is not None:
            self._agents.add(agent)
        if work is not None and (kind := getattr(event, "kind", CALL)) != CALL:
            self._works.add(work)
            if isinstance(event, Connected) and kind != CALLBACK:
                self._in_hand[work] = event.reservation
            elif isinstance(event, Completed):
                self._in_hand.pop(work, None)
        if self._timer is None and (self._agents or self._works):
            self._timer = self._loop.call_later(SOON_S, self.save)

    def close(self) -> None:
        self._disarm()
        self.save()

    def forget(self) -> None:
        """Nothing of it is this engine's to keep."""
        self._disarm()
        for each in (self._agents, self._works, self._promises, self._in_hand):
            each.clear()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def save(self) -> None:
        """Write what has changed."""
        self._timer = None
        owner = self._queues.owner
        if owner.lease is None:
            return
        now, offset_s = self._loop.time(), self._offset_s
        in_hand = [self._in_hand[work] for work in self._works if work in self._in_hand]
        saved = self._queues.distributor.snapshot_of(now, agents=self._agents, works=self._works, in_hand=in_hand)
        for name, state in saved["agents"].items():
            owner.put("agent", name, dict(_moved(state, TIMES["agent"], offset_s + now)))
        items = {item["work"]["id"]: item for item in (*saved["items"], *saved["talking"])}
        reservations = {one["item"]: one for one in saved["reservations"]}
        for name in self._works:
            item = items.get(name)
            if item is None:
                owner.drop("work", name)
            else:
                owner.put("work", name, _kept(item, reservations.get(item["tie"]), offset_s + now))
        self._agents, self._works = set(), set()
        self._save_promises(offset_s)

    def _save_promises(self, offset_s: float) -> None:
        owner, promises = self._queues.owner, self._queues.callbacks.promises
        for name in self._promises - promises.keys():
            owner.drop("promise", name)
        for name in promises.keys() - self._promises:
            one = promises[name]
            owner.put("promise", name, {**one.as_map(), "started": one.started + offset_s})
        self._promises = set(promises)


def _kept(item: Mapping[str, Any], reservation: Mapping[str, Any] | None, wall_s: float) -> dict[str, Any]:
    """A work as it is kept: in one piece, so that it never both waits and is in hand."""
    kept = dict(_moved(item, TIMES["item"], wall_s))
    kept["work"] = dict(_moved(item["work"], TIMES["work"], wall_s))
    if reservation is not None:
        kept[IN_HAND] = dict(_moved(reservation, TIMES["reservation"], wall_s))
    return kept


def _item(kept: State, wall_s: float) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The same, back: what is asked for, and the reservation of who serves it."""
    item = dict(_moved(kept, TIMES["item"], wall_s))
    item["work"] = dict(_moved(item["work"], TIMES["work"], wall_s))
    reservation = item.pop(IN_HAND, None)
    return item, None if reservation is None else dict(_moved(reservation, TIMES["reservation"], wall_s))


def _moved(state: Mapping[str, Any], times: frozenset[str], wall_s: float) -> Iterator[tuple[str, Any]]:
    """Ages as moments in UTC seconds, or such moments as ages: both are `wall_s`, UTC now, less the other."""
    for name, value in state.items():
        yield name, wall_s - value if name in times and value is not None else value
