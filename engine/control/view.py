"""What the control socket may see and do of the engine. The engine implements it; nothing here knows how."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from santral.engine.cdr.store import CdrStore
from santral.engine.events import EventLog
from santral.engine.trace import Ladder

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues
    from santral.engine.calls.verbs import Verbs
    from santral.engine.conferences import Conferences
    from santral.engine.recordings.studio import Studio

Side = Literal["caller", "callee"]


class CallView(Protocol):
    """One call in progress."""

    @property
    def id(self) -> str:
        """UUIDv7 text."""
        ...

    @property
    def tenant(self) -> str:
        """Name of the tenant the call belongs to."""
        ...

    @property
    def verbs(self) -> "Verbs":
        """What may be asked of its audio."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Describe the call and its legs in values MessagePack knows; has at least `id`, `tenant` and `state`."""
        ...

    def hang_up(self, status: int | None, by: str) -> None:
        """End the call: `status` (or the usual one) to a caller not yet answered, BYE to answered legs."""
        ...


class EngineView(Protocol):
    """The engine as its control clients see it. Called on the engine's loop only; nothing here may block."""

    @property
    def events(self) -> EventLog:
        """The node's numbered events."""
        ...

    @property
    def cdrs(self) -> CdrStore:
        """Finished calls."""
        ...

    def status(self) -> dict[str, Any]:
        """Describe the node: name, version, uptime, real listening addresses, counts, limits."""
        ...

    def calls(self) -> Iterable[CallView]:
        """Return all calls in progress, in any order."""
        ...

    def call(self, identifier: str) -> CallView | None:
        """Find a call in progress."""
        ...

    def originate(self, tenant: str, numbers: tuple[str, str], caller: str, custom: dict[str, str]) -> CallView:
        """Ring the first number and then call the second, both shown `caller`. `RequestError` when that cannot be."""
        ...

    def transfer(self, call: str, to: str, keep: Side, by: str) -> None:
        """Connect this leg of a call with a number instead of the other leg; `RequestError` when that cannot be."""
        ...

    def join(self, call: str, keep: Side, other: str, take: Side, by: str) -> None:
        """Connect a leg of one call with one of another, which ends; `RequestError` when that cannot be."""
        ...

    def ladder(self, call: str) -> Ladder | None:
        """The SIP messages of a call in progress, or of one that lately ended."""
        ...

    @property
    def queues(self) -> "Queues":
        """The queues and agents there are."""
        ...

    @property
    def conferences(self) -> "Conferences":
        """The conferences there are."""
        ...

    @property
    def studio(self) -> "Studio":
        """Recordings: those under way, those that are over, their files."""
        ...

    async def open_conference(self, tenant: str, name: str) -> dict[str, Any]:
        """Open a conference of a tenant, and show it; one that is there stays as it is."""
        ...

    def trunks(self) -> Sequence[dict[str, Any]]:
        """Describe every trunk; each has at least `name`, `tenant` and `shared`."""
        ...

    def users(self) -> Sequence[dict[str, Any]]:
        """Describe every user; each has at least `name` and `tenant`."""
        ...

    def bans(self) -> list[dict[str, Any]]:
        """List the addresses that are not listened to."""
        ...

    def forgive(self, address: str) -> bool:
        """Lift the ban of an address and forget its failures; tells whether there was anything to forgive."""
        ...

    async def reload(self) -> list[str]:
        """Read the configuration again and say what changed.

        A wrong one leaves the old one in force: `protocol.RequestError("invalid_configuration", …, problems)`.
        """
        ...

    def drain(self) -> None:
        """Take no new calls and stop when the last one ends or `drain_timeout` passes; repeating it does nothing."""
        ...

    async def doctor(self) -> list[dict[str, Any]]:
        """Say what is wrong with the machine and how to mend it (`control.doctor.examine`)."""
        ...
