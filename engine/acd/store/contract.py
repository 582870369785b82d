"""The seam: state of queues as small operations, each about one thing, atomic, and safe to repeat.

One owner decides for a set of queues and their agents. It holds a lease, which ends by itself unless it is renewed, and
whose token is larger than every earlier one: what is written with an older token is refused, so that an owner who was
asleep when its lease went to another changes nothing any more. `docs/acd.md` has the same operations on Redis.
"""

from asyncio import Future
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Kind = Literal["agent", "work", "promise"]
State = Mapping[str, Any]


class FencedError(Exception):
    """Somebody else owns the queues by now: what was asked for with this lease has not been done."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to decide. `run` tells runs of one owner apart, and grows from one to the next."""

    owner: str
    run: str
    token: int


class Store(Protocol):
    """Who decides; what is known of agents, of other work, of callbacks promised; whom agents are reserved for."""

    lease_s: float
    """How long a lease lasts unless it is renewed."""

    may_be_silent: bool
    """Whether a holder may go on deciding while the store does not answer: only where nobody else could claim then."""

    async def claim(self, owner: str, run: str) -> Lease | None:
        """The lease, if it is free, has run out, or is an earlier run's of the same owner; else None.

        Asked again by who holds it: the same lease, for the whole time. Raises OSError when there is no answer.
        """
        ...

    async def renew(self, lease: Lease) -> bool:
        """It lasts from now on for the whole time again; False: another one has been given since. Raises OSError."""
        ...

    def release(self, lease: Lease) -> None:
        """Somebody else may have it at once; nothing happens if another one has been given since. Never blocks."""
        ...

    def put(self, lease: Lease, kind: Kind, name: str, state: State) -> None:
        """This is how it stands now; nothing happens with an older token. Never blocks; the last word counts."""
        ...

    def drop(self, lease: Lease, kind: Kind, name: str) -> None:
        """There is no such thing any more; nothing happens if there was none, or with an older token."""
        ...

    async def all(self) -> dict[tuple[str, str], State]:
        """Everything, by kind and name. Raises OSError when there is no answer."""
        ...

    def engage(self, lease: Lease, agent: str, reservation: str, room: int) -> "Future[bool]":
        """The agent has this reservation in hand, if it is one of at most `room`: else False, and nothing happens.

        A second time: True. Answered at once where that is possible. `FencedError` with an older token; OSError.
        """
        ...

    def disengage(self, lease: Lease, agent: str, reservation: str) -> None:
        """Not in hand any more; nothing happens if it was not, or with an older token. Never blocks."""
        ...

    def settle(self, lease: Lease, engaged: Mapping[str, Collection[str]]) -> None:
        """These reservations agents have in hand and no others: a new owner says so before it decides anything."""
        ...
