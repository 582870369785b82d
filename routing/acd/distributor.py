"""Automatic call distribution: facts and `now` in, events out.

One object for all queues and agents, which share each other. Every method changes the state and returns what happened,
in order; an id that is not known (any more) is a crossing, changes nothing and returns nothing. `now` is monotonic
seconds and never steps back. Ids of reservations and random numbers come from the functions given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Self

from santral.routing.acd import matching, offers, staff, waiting
from santral.routing.acd.configuring import configure
from santral.routing.acd.events import Event
from santral.routing.acd.index.items import Reservation
from santral.routing.acd.records import Agent, Floor
from santral.routing.acd.settings import CALLBACK, AtClose, Settings, Work
from santral.routing.acd.snapshot import load, save, save_some
from santral.routing.acd.tables import NEVER, Cause, Leave, Phase, Standing
from santral.routing.acd.views import Views

DUE_AT_ONCE: Final = 64  # deadlines looked at in one tick, so that none takes long


class Distributor(Views):
    """The whole of it. Not for several threads."""

    def __init__(
        self,
        settings: Settings,
        now: float = 0.0,
        *,
        new_id: Callable[[], str],
        draw: Callable[[], float],
    ) -> None:
        super().__init__(Floor(new_id, draw))
        configure(self._floor, settings, now)
        self._floor.out.clear()

    @classmethod
    def restore(
        cls,
        settings: Settings,
        saved: Mapping[str, Any],
        alive: Callable[[str], bool],
        now: float,
        *,
        new_id: Callable[[], str],
        draw: Callable[[], float],
    ) -> tuple[Self, list[Event]]:
        """A distributor that goes on where `snapshot` was taken, and what became of those who are not `alive`."""
        made = cls(Settings(), now, new_id=new_id, draw=draw)
        made._floor.last_tie = saved["tie"]
        configure(made._floor, settings, now)
        made._floor.out.clear()
        load(made._floor, saved, alive, now)
        return made, made._told(now)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Everything but the settings, as plain values."""
        return save(self._floor, now)

    def snapshot_of(
        self, now: float, *, agents: Iterable[str] = (), works: Iterable[str] = (), in_hand: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Of it these agents, those of these works that wait, and those of these reservations that are being served."""
        return save_some(self._floor, agents, works, in_hand, now)

    def _told(self, now: float) -> list[Event]:
        if self._floor.stale or self._floor.orphans:
            self._catch_up(now)
        found, self._floor.out = self._floor.out, []
        return found

    def configure(self, settings: Settings, now: float) -> list[Event]:
        """Other settings: what is gone lets its people go."""
        configure(self._floor, settings, now)
        return self._told(now)

    # ---- time ----

    def next_deadline(self) -> float | None:
        """When `tick` is to be called next; a moment in the past if it has more to do already."""
        floor = self._floor
        if floor.stale or floor.draining or floor.orphans:
            return 0.0
        due = floor.next_due()
        return None if due == NEVER else due

    def tick(self, now: float) -> list[Event]:
        """What is due. Does a bounded part of it: `next_deadline` tells whether there is more."""
        floor = self._floor
        for _ in range(DUE_AT_ONCE):
            thing, item = floor.deadlines.first(), floor.waits.first()
            if thing is not None and thing.due <= now:
                floor.arm(thing, NEVER)
                if isinstance(thing, Reservation):
                    offers.on_due(floor, thing, now)
                else:
                    staff.on_due(floor, thing, now)
            elif item is not None and item.due <= now:
                floor.arm_item(item, NEVER)
                waiting.on_due(floor, item, now)
            else:
                break
        if floor.draining or floor.orphans or floor.stale:
            self._catch_up(now)
        return self._told(now)

    def _catch_up(self, now: float) -> None:
        floor = self._floor
        for name, queue in list(floor.draining.items())[:1]:
            if not waiting.drain(floor, queue, now):
                del floor.draining[name]
        for lane in floor.orphans[:1]:
            if not waiting.widen_orphans(floor, lane, now):
                floor.orphans.remove(lane)
        for name, queue in list(floor.stale.items())[:1]:
            if not matching.look_again(floor, queue, now):
                del floor.stale[name]

    # ---- those who wait ----

    def join(self, work: Work, now: float) -> list[Event]:
        """Somebody wants in. KeyError if there is no such queue."""
        waiting.join(self._floor, work, now)
        return self._told(now)

    def leave(self, work: str, reason: Leave, now: float) -> list[Event]:
        """Somebody goes, at any moment before the connection."""
        floor = self._floor
        item = floor.items.get(work)
        if item is not None:
            waiting.forget(floor, item)
            waiting.left(floor, item, waiting.REASONS[reason], now)
            offers.end_offers(floor, item, "caller_gone", now)
        return self._told(now)

    def call_back(
        self,
        work: str,
        new_id: str,
        number: str,
        now: float,
        *,
        not_before: float | None = None,
        expires: float | None = None,
    ) -> list[Event]:
        """Somebody hangs up to be called back at `number` when it is their turn."""
        floor = self._floor
        item = floor.items.get(work)
        if item is not None and item.standing is not Standing.CONNECTING:
            new = Work(
                new_id, item.queue.name, CALLBACK, item.priority, item.needs, item.wishes, item.sticky, item.sticky_for,
                item.started, number, not_before, expires,
            )  # fmt: skip
            waiting.call_back(floor, item, new, now, offers.end_offers)
        return self._told(now)

    # ---- reservations ----

    def ringing(self, reservation: str, now: float) -> list[Event]:
        """The agent's phone rings."""
        return self._of(reservation, offers.ringing, now)

    def customer_answered(self, reservation: str, now: float) -> list[Event]:
        """A callback whose customer came first: the agent's time begins."""
        return self._of(reservation, offers.customer_answered, now)

    def accept(self, reservation: str, now: float) -> list[Event]:
        """The agent has answered. The second time, or too late: nothing."""
        return self._of(reservation, offers.accept, now)

    def refuse(self, reservation: str, cause: Cause, now: float) -> list[Event]:
        """The agent does not take it. The second time, or too late: nothing."""
        one = self._floor.reservations.get(reservation)
        if one is not None:
            offers.refuse(self._floor, one, cause, now)
        return self._told(now)

    def connected(self, reservation: str, now: float) -> list[Event]:
        """Both hear each other."""
        return self._of(reservation, offers.connected, now)

    def failed(self, reservation: str, now: float) -> list[Event]:
        """Accepted, but the agent was lost before the connection."""
        return self._of(reservation, offers.failed, now)

    def unanswered(self, reservation: str, now: float) -> list[Event]:
        """The customer of a callback did not answer."""
        return self._of(reservation, offers.unanswered, now)

    def finished(self, reservation: str, now: float) -> list[Event]:
        """The agent has left the call."""
        return self._of(reservation, offers.finish, now)

    def hold(self, reservation: str, is_on: bool, now: float) -> list[Event]:
        """On hold, or off it."""
        one = self._floor.reservations.get(reservation)
        if one is not None:
            offers.hold(one, now, is_on=is_on)
        return self._told(now)

    def _of(self, reservation: str, act: Callable[[Floor, Reservation, float], None], now: float) -> list[Event]:
        one = self._floor.reservations.get(reservation)
        if one is None:
            return []
        act(self._floor, one, now)
        return self._told(now)

    # ---- agents ----

    def login(self, agent: str, now: float) -> list[Event]:
        """There, and ready."""
        return self._by(agent, now, lambda floor, one: staff.login(floor, one, now))

    def logout(self, agent: str, now: float, reason: str = "") -> list[Event]:
        """Gone."""
        return self._by(agent, now, lambda floor, one: staff.logout(floor, one, now, reason))

    def pause(self, agent: str, reason: str, now: float) -> list[Event]:
        """On a break."""
        return self._by(agent, now, lambda floor, one: staff.pause(floor, one, reason, now))

    def resume(self, agent: str, now: float) -> list[Event]:
        """Back from it, or from not answering."""
        return self._by(agent, now, lambda floor, one: staff.resume(floor, one, now))

    def occupy(self, agent: str, legs: int, now: float) -> list[Event]:
        """So many legs of the agent's endpoint have nothing to do with a queue."""
        return self._by(agent, now, lambda floor, one: staff.occupy(floor, one, legs, now))

    def reach(self, agent: str, is_reachable: bool, now: float) -> list[Event]:
        """Whether the endpoint can be rung."""
        return self._by(agent, now, lambda floor, one: staff.reach(floor, one, now, is_reachable=is_reachable))

    def end_wrap(self, agent: str, now: float) -> list[Event]:
        """Ready before the wrap-up is over."""
        return self._by(agent, now, lambda floor, one: staff.end_wrap(floor, one, now))

    def extend_wrap(self, agent: str, seconds: float, now: float) -> list[Event]:
        """More time for the wrap-up."""
        return self._by(agent, now, lambda floor, one: staff.extend_wrap(floor, one, seconds))

    def _by(self, agent: str, now: float, act: Callable[[Floor, Agent], None]) -> list[Event]:
        one = self._floor.agents.get(agent)
        if one is None:
            return []
        act(self._floor, one)
        return self._told(now)

    # ---- queues ----

    def open_queue(self, queue: str, is_open: bool, now: float) -> list[Event]:
        """Opening hours begin or end. KeyError if there is no such queue."""
        one = self._floor.queues[queue]
        one.is_open = is_open
        if is_open:
            if one.drain == "closed":
                one.drain = ""
        elif one.settings.at_close is AtClose.SEND_AWAY:
            one.drain = "closed"
            self._floor.draining[queue] = one
            self._catch_up(now)
        return self._told(now)

    def is_consistent(self) -> bool:
        """Whether every reservation is known to its person and its agent: for tests."""
        return all(
            one in one.agent.engaged and (one.phase is not Phase.PENDING or one in one.item.pending)
            for one in self._floor.reservations.values()
        )
