"""Where the state of queues lasts, as small operations: each about one thing, atomic, and safe to repeat.

`LocalStore` is that of one node, in its database. Its kinds and names are the keys of a shared one: `docs/acd.md`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from santral.engine import utc
from santral.engine.cdr import queues as rows

if TYPE_CHECKING:
    from santral.engine.cdr.store import CdrStore

Kind = Literal["agent", "work", "promise"]
State = Mapping[str, Any]


class Store(Protocol):
    """What is known of agents, of work that waits, of callbacks promised; by kind and name."""

    def put(self, kind: Kind, name: str, state: State) -> None:
        """This is how it stands now. Never blocks; the last word on a name counts."""
        ...

    def drop(self, kind: Kind, name: str) -> None:
        """There is no such thing any more; nothing happens if there was none."""
        ...

    async def all(self) -> dict[tuple[str, str], State]:
        """Everything, by kind and name."""
        ...


class LocalStore:
    """The `Store` of a single node: rows of its database, written in the batches of the call records."""

    def __init__(self, cdrs: "CdrStore", node: str) -> None:
        self._cdrs, self._node = cdrs, node

    def put(self, kind: Kind, name: str, state: State) -> None:
        self._cdrs.keep(rows.AcdState(self._node, kind, name, utc.now_ms(), state))

    def drop(self, kind: Kind, name: str) -> None:
        self._cdrs.keep(rows.AcdState(self._node, kind, name, utc.now_ms(), None))

    async def all(self) -> dict[tuple[str, str], State]:
        found = await self._cdrs.ask(lambda engine: rows.states(engine, self._node))
        return {(row.kind, row.name): row.state for row in found if row.state is not None}
