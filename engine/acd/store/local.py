"""The `Store` of a single node: its database. State and lease are rows there, so that a second engine on the same data
decides nothing beside the first; reservations end with the process, and are kept in it.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

from santral.engine import utc
from santral.engine.acd.store.contract import FencedError, Kind, Lease, State
from santral.engine.cdr import owners
from santral.engine.cdr import queues as rows
from santral.engine.cdr.store import StoreError

if TYPE_CHECKING:
    from santral.engine.cdr.store import CdrStore

LEASE_S: Final = 30.0


class LocalStore:
    """Writes go with the batches of the call records, by their thread."""

    lease_s = LEASE_S
    may_be_silent = True  # nobody can claim in a database that does not answer

    def __init__(self, cdrs: "CdrStore", node: str, clock: Callable[[], int] = utc.now_ms) -> None:
        self._cdrs, self._node, self._clock = cdrs, node, clock
        self._token = 0  # of the latest lease given here
        self._engaged: dict[str, set[str]] = {}

    async def claim(self, owner: str, run: str) -> Lease | None:
        now, lasts_ms = self._clock(), round(1000 * self.lease_s)
        try:
            token = await self._cdrs.ask(lambda engine: owners.claim(engine, self._node, owner, run, (now, lasts_ms)))
        except StoreError as problem:
            raise OSError(str(problem)) from problem
        if token is None:
            return None
        self._token = max(self._token, token)
        return Lease(owner, run, token)

    async def renew(self, lease: Lease) -> bool:
        expires = self._clock() + round(1000 * self.lease_s)
        try:
            return await self._cdrs.ask(lambda engine: owners.renew(engine, self._node, lease.token, expires))
        except StoreError as problem:
            raise OSError(str(problem)) from problem

    def release(self, lease: Lease) -> None:
        if self._is_current(lease):
            self._token += 1
        self._cdrs.keep(rows.Released(self._node, lease.token))

    def put(self, lease: Lease, kind: Kind, name: str, state: State) -> None:
        self._cdrs.keep(rows.AcdState(self._node, kind, name, self._clock(), state, lease.token))

    def drop(self, lease: Lease, kind: Kind, name: str) -> None:
        self._cdrs.keep(rows.AcdState(self._node, kind, name, self._clock(), None, lease.token))

    async def all(self) -> dict[tuple[str, str], State]:
        try:
            found = await self._cdrs.ask(lambda engine: rows.states(engine, self._node))
        except StoreError as problem:
            raise OSError(str(problem)) from problem
        return {(row.kind, row.name): row.state for row in found if row.state is not None}

    # ---- reservations ----

    def _is_current(self, lease: Lease) -> bool:
        return lease.token == self._token

    def engage(self, lease: Lease, agent: str, reservation: str, room: int) -> "asyncio.Future[bool]":
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self._is_current(lease):
            answer.set_exception(FencedError(agent))
            return answer
        held = self._engaged.setdefault(agent, set())
        if reservation not in held and len(held) < room:
            held.add(reservation)
        answer.set_result(reservation in held)
        return answer

    def disengage(self, lease: Lease, agent: str, reservation: str) -> None:
        if self._is_current(lease) and (held := self._engaged.get(agent)) is not None:
            held.discard(reservation)
            if not held:
                del self._engaged[agent]

    def settle(self, lease: Lease, engaged: Mapping[str, Collection[str]]) -> None:
        if self._is_current(lease):
            self._engaged = {agent: set(held) for agent, held in engaged.items() if held}
