"""The right to decide for the queues: claimed at the start, renewed while the engine runs, given up when it is lost.

Whoever has lost it lets go of everything at once: callers who wait go on along their routes, agents' phones stop
ringing, talks go on as calls that no queue knows of. What is kept in the store is the next owner's.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from santral.engine import log
from santral.engine.acd.store import FencedError, Kind, Lease, State, Store
from santral.engine.ids import new_id
from santral.routing.acd.events import Created
from santral.routing.acd.tables import Cause

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues

RENEWALS: Final = 3  # in the time of one lease
CLAIM_EVERY_S: Final = 1.0  # while somebody else has it
IN_TIME: Final = 0.8  # of a lease: how long it is trusted in silence, by a clock that may not run as the store's
TRY_AGAIN_S: Final = 1.0  # an agent whom the store says to be engaged is left alone for so long


class Owner:
    """One run of one engine. Everything here happens on its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, queues: "Queues") -> None:
        self._loop, self._queues = loop, queues
        self._store: Store | None = None
        self._name = ""
        self._run: Final = new_id()  # grows from one run to the next
        self._lease: Lease | None = None
        self._until = 0.0  # on the loop's clock: the lease is trusted so long without an answer
        self._task: asyncio.Task[None] | None = None
        self._log = log.get("queues")

    async def start(self, store: Store, name: str) -> None:
        """Begin to decide, or to wait for it."""
        self._store, self._name = store, name
        await self._try()
        if self._lease is None:
            self._log.warning("somebody else decides for the queues; waiting for it")
        self._task = self._loop.create_task(self._keep())

    def close(self) -> None:
        """Somebody else may decide."""
        if self._task is not None:
            self._task.cancel()
        if self._store is not None and self._lease is not None:
            self._store.release(self._lease)
            self._lease = None

    @property
    def lease(self) -> Lease | None:
        """What is written with; None while this run decides nothing."""
        is_silent = self._loop.time() >= self._until
        if is_silent and self._lease is not None and self._store is not None and not self._store.may_be_silent:
            self._lose("the store has been silent for too long")
        return self._lease

    async def _keep(self) -> None:
        while self._store is not None:
            nap_s = CLAIM_EVERY_S if self._lease is None else self._nap_s(self._store)
            await asyncio.sleep(nap_s)
            try:
                await (self._try() if self._lease is None else self._renew(self._store))
            except Exception:  # nobody would claim or renew any more
                self._log.exception("the queues' lease could not be looked after; it is tried again")

    def _nap_s(self, store: Store) -> float:
        """Until it is to be renewed, or is over."""
        usual = store.lease_s / RENEWALS
        return usual if store.may_be_silent else max(0.0, min(usual, self._until - self._loop.time()))

    async def _try(self) -> None:
        """Claim the lease, take up what its last owner has left, and begin."""
        store, asked = self._store, self._loop.time()
        if store is None:
            return
        try:
            lease = await store.claim(self._name, self._run)
            if lease is None:
                return
            kept = await self._queues.keeping.load(store)
        except OSError as problem:
            self._log.error("the queues cannot be taken over", error=str(problem))
            return
        revived = None if kept is None else self._queues.revive(kept)
        self._lease, self._until = lease, asked + IN_TIME * store.lease_s
        store.settle(lease, _in_hand(None if revived is None else revived.kept))
        self._queues.begin(revived)
        self._tell(lease, decides=True)

    async def _renew(self, store: Store) -> None:
        lease, asked = self.lease, self._loop.time()
        if lease is None:
            return
        try:
            async with asyncio.timeout_at(None if store.may_be_silent else self._until):
                is_kept = await store.renew(lease)
        except OSError as problem:  # a time-out is one
            self._log.warning("the lease of the queues is not renewed", error=str(problem) or "no answer")
            return
        if not is_kept:
            self._lose("somebody else decides for the queues")
        elif self._lease is lease:
            self._until = asked + IN_TIME * store.lease_s

    def _lose(self, why: str) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            self._log.error("this engine decides no more for the queues", why=why)
            self._tell(lease, decides=False)
            self._queues.let_go()

    def _tell(self, lease: Lease, *, decides: bool) -> None:
        self._queues.events.emit("engine.queues", decides=decides, token=lease.token)

    # ---- reservations ----

    def engage(self, event: Created, then: Callable[[], None]) -> None:
        """Nobody rings the agent before the store has said that the agent is this reservation's."""
        lease, store = self.lease, self._store
        if lease is None or store is None:
            return
        answer = store.engage(lease, event.agent, event.reservation, self._queues.acd.room_of(event.agent))
        if answer.done():
            self._engaged(answer, event, then)
        else:
            answer.add_done_callback(lambda given: self._engaged(given, event, then))

    def _engaged(self, answer: "asyncio.Future[bool]", event: Created, then: Callable[[], None]) -> None:
        try:
            is_ours = answer.result()
        except FencedError:
            self._lose("somebody else decides for the queues")
            return
        except OSError as problem:
            self._log.error("the store does not take a reservation", error=str(problem))
            is_ours = False
        if is_ours:
            then()
        else:
            self._loop.call_later(TRY_AGAIN_S, self._queues.refuse, event.reservation, Cause.BUSY)

    def disengage(self, agent: str, reservation: str) -> None:
        if self._lease is not None and self._store is not None:
            self._store.disengage(self._lease, agent, reservation)

    # ---- what is kept ----

    def put(self, kind: Kind, name: str, state: State) -> None:
        if self._lease is not None and self._store is not None:
            self._store.put(self._lease, kind, name, state)

    def drop(self, kind: Kind, name: str) -> None:
        if self._lease is not None and self._store is not None:
            self._store.drop(self._lease, kind, name)


def _in_hand(kept: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """What each agent has in hand when an owner begins: anything else has ended with the one before."""
    found: dict[str, list[str]] = {}
    for one in () if kept is None else kept["reservations"]:
        found.setdefault(one["agent"], []).append(one["id"])
    return found
