"""The one thread that writes call records, and the reads beside it. The engine's loop never waits for the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from santral.engine.cdr.record import CallOpen, CallRecord

MAX_LIST: Final = 500  # records in one page


@dataclass(frozen=True, slots=True)
class CdrFilter:
    """Which records to list; every given field must hold. Moments are UTC milliseconds, `until` exclusive."""

    tenant: str | None = None
    id: str | None = None
    caller: str | None = None
    called: str | None = None
    trunk: str | None = None
    cause: str | None = None
    linked: str | None = None
    since: int | None = None
    until: int | None = None


class CdrStore:
    """Call records in any database SQLAlchemy speaks to."""

    def __init__(self, url: str, *, node: str) -> None: ...

    async def start(self) -> None:
        """Open the database, bring its tables up to date, start the writer; StoreError when that is impossible."""

    async def recover(self) -> tuple[CallRecord, ...]:
        """Close this node's calls that an earlier run left open; call it once, before the first call starts."""
        return ()

    def call_started(self, call: CallOpen) -> None:
        """Remember that a call is in progress. Never blocks."""

    def call_answered(self, call: str, answered: int) -> None:
        """Remember when an open call was answered (UTC ms), so that a lost engine can still bill it. Never blocks."""

    def call_ended(self, record: CallRecord) -> None:
        """Write a call and its legs, and forget that it was open, in one transaction. Never blocks."""

    async def flush(self) -> None:
        """Wait until everything handed over so far is written."""

    async def close(self) -> None:
        """Write what waits (a bounded time), then stop; what could not be written goes to the log, whole."""

    async def list(self, limit: int, after: str | None = None, wanted: CdrFilter | None = None) -> dict[str, Any]:
        """Return `{items, next}`: records newest first, older than `after` (a `next` of an earlier page)."""
        return {"items": [], "next": None}

    def counters(self) -> Mapping[str, int]:
        """Figures for metrics and status: written, waiting, failures, lost, open."""
        return {}
