"""A store that several nodes share: what a server keeps, and each node's way to it. The reference for any other."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from santral.engine.acd.store import FencedError, Kind, Lease, State


@dataclass
class Server:
    """The server's state; each operation is one step of it, as a script is one step of Redis. `clock` in seconds."""

    clock: Callable[[], float]
    owner: tuple[str, str] = ("", "")
    token: int = 0
    expires: float = 0.0
    states: dict[tuple[str, str], State] = field(default_factory=dict)
    engaged: dict[str, set[str]] = field(default_factory=dict)
    writes: list[tuple[int, str]] = field(default_factory=list)  # accepted ones: token, and what was written

    def claim(self, owner: str, run: str, lease_s: float) -> int | None:
        now = self.clock()
        if now < self.expires and self.owner != (owner, run) and not (self.owner[0] == owner and self.owner[1] < run):
            return None
        if self.owner != (owner, run):
            self.token += 1
        self.owner, self.expires = (owner, run), now + lease_s
        return self.token

    def renew(self, token: int, lease_s: float) -> bool:
        if token == self.token:
            self.expires = self.clock() + lease_s
        return token == self.token

    def release(self, token: int) -> None:
        if token == self.token:
            self.owner, self.expires, self.token = ("", ""), 0.0, token + 1

    def write(self, token: int, key: tuple[str, str], state: State | None) -> None:
        if token != self.token:
            return
        self.writes.append((token, key[1]))
        if state is None:
            self.states.pop(key, None)
        else:
            self.states[key] = state

    def engage(self, token: int, agent: str, reservation: str, room: int) -> bool:
        if token != self.token:
            raise FencedError(agent)
        held = self.engaged.setdefault(agent, set())
        if reservation not in held and len(held) < room:
            held.add(reservation)
            self.writes.append((token, reservation))
        return reservation in held

    def disengage(self, token: int, agent: str, reservation: str) -> None:
        if token == self.token:
            self.engaged.get(agent, set()).discard(reservation)

    def settle(self, token: int, engaged: Mapping[str, Collection[str]]) -> None:
        if token == self.token:
            self.engaged = {agent: set(held) for agent, held in engaged.items()}


class SharedStore:
    """One node's connection: what is asked goes in order, and takes `delay_s` each way where that is not 0."""

    may_be_silent = False

    def __init__(self, server: Server, lease_s: float = 10.0, delay_s: float = 0.0) -> None:
        self.server, self.lease_s, self.delay_s = server, lease_s, delay_s
        self.is_cut = False

    async def claim(self, owner: str, run: str) -> Lease | None:
        token = await self._asked(lambda: self.server.claim(owner, run, self.lease_s))
        return None if token is None else Lease(owner, run, token)

    async def renew(self, lease: Lease) -> bool:
        return bool(await self._asked(lambda: self.server.renew(lease.token, self.lease_s)))

    async def all(self) -> dict[tuple[str, str], State]:
        found: dict[tuple[str, str], State] = await self._asked(lambda: dict(self.server.states))
        return found

    def release(self, lease: Lease) -> None:
        self._ask(lambda: self.server.release(lease.token))

    def put(self, lease: Lease, kind: Kind, name: str, state: State) -> None:
        self._ask(lambda: self.server.write(lease.token, (kind, name), state))

    def drop(self, lease: Lease, kind: Kind, name: str) -> None:
        self._ask(lambda: self.server.write(lease.token, (kind, name), None))

    def engage(self, lease: Lease, agent: str, reservation: str, room: int) -> "asyncio.Future[bool]":
        return self._ask(lambda: self.server.engage(lease.token, agent, reservation, room))

    def disengage(self, lease: Lease, agent: str, reservation: str) -> None:
        self._ask(lambda: self.server.disengage(lease.token, agent, reservation))

    def settle(self, lease: Lease, engaged: Mapping[str, Collection[str]]) -> None:
        self._ask(lambda: self.server.settle(lease.token, engaged))

    async def _asked(self, what: Callable[[], Any]) -> Any:
        return await self._ask(what)

    def _ask(self, what: Callable[[], Any]) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        answer.add_done_callback(lambda given: given.cancelled() or given.exception())  # nobody has to look at it

        def reach() -> None:
            if answer.cancelled():
                return
            try:
                found = what()
            except FencedError as problem:
                answer.set_exception(problem)
            else:
                answer.set_result(found)

        if self.is_cut:
            answer.set_exception(OSError("cut off"))
        elif self.delay_s:
            loop.call_later(self.delay_s, reach)
        else:
            reach()
        return answer
