"""What is written down and told of recordings: rows of the index, events, the reports of the recorder process."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from santral.engine import log, utc
from santral.engine.cdr import recordings as rows
from santral.engine.cdr.recordings import Order, OrderDone, Peak, RecordingChange, RecordingRow
from santral.engine.cdr.store import CdrStore
from santral.engine.events import EventLog
from santral.engine.recordings.licences import HIGH_WATER
from santral.engine.recordings.recording import Recording

ENGINE: Final = "engine"  # who erases what was never finished
LOST: Final = "lost"  # a recording that nothing is left of


class Book:
    """The index as the engine keeps it. Reports come at least once: what is known already is not told again."""

    def __init__(self, cdrs: CdrStore, events: EventLog, node: str) -> None:
        self._cdrs, self._events, self._node = cdrs, events, node
        self._log = log.get("recordings")

    # ---- while it runs ----

    def began(self, one: Recording) -> None:
        wish = one.wish
        self._cdrs.recorded(
            RecordingRow(
                id=one.id,
                node=self._node,
                tenant=wish.tenant,
                started=one.started,
                call=one.call,
                conference=wish.conference,
                demanded_by=wish.by,
                channels=wish.channels,
                format=wish.manner.format,
                caller=wish.caller,
                called=wish.called,
                queue=wish.queue,
                parties=tuple(one.parties),
            )
        )
        room = wish.conference or None
        self.emit("recording.started", one, recording=one.id, by=wish.by, channels=wish.channels, conference=room)

    def ended(self, one: Recording, reason: str) -> None:
        """It takes no more; the recorder is to finish it."""
        self.emit("recording.stopped", one, recording=one.id, reason=reason, ms=one.ms)
        values = {"state": "processing", "ended": utc.now_ms(), "ms": one.ms, "parties": tuple(one.parties)}
        self._cdrs.recorded(RecordingChange(one.id, {**values, "call": one.call}))

    def discarded(self, one: Recording, reason: str) -> None:
        """Nothing was made of it, and nothing is left."""
        values = {"state": "erased", "reason": reason, "erased": utc.now_ms(), "ended": None, "ms": 0}
        self._cdrs.recorded(RecordingChange(one.id, {**values, "call": one.call}))
        fields = {"recording": one.id, "recorded_call": one.call, "by": ENGINE, "reason": reason}
        self._tell("erased", one.wish.tenant, {**fields, "entry": None, "hash": None})

    def troubled(self, one: Recording, reason: str, detail: str) -> None:
        """Its capture loses what it should hold; the call goes on."""
        self._log.error("a recording fails", recording=one.id, reason=reason, detail=detail)
        self._cdrs.recorded(RecordingChange(one.id, {"reason": reason}))
        fields = {"recording": one.id, "recorded_call": one.call, "reason": reason, "detail": detail}
        self.emit("recording.failed", one, **fields, capture_kept=True)

    def impossible(self, tenant: str, call: str | None, reason: str, detail: str) -> None:
        """It could not even begin."""
        self._log.error("a recording cannot begin", call=call, reason=reason, detail=detail)
        fields = {"recording": None, "recorded_call": call, "reason": reason, "detail": detail, "capture_kept": False}
        self._events.emit("recording.failed", tenant=tenant, call=call, leg=None, **fields)

    def emit(self, kind: str, one: Recording, **fields: Any) -> None:
        """Tell of a recording under way, as of its call."""
        self._events.emit(kind, tenant=one.wish.tenant, call=one.call, leg=None, **fields)

    def peaked(self, tenant: str, licences: int) -> None:
        self._cdrs.recorded(Peak(tenant, utc.text_of(utc.now_ms())[:10], HIGH_WATER, licences))

    # ---- what the recorder is to do ----

    async def ordered(self, kind: str, recording: Mapping[str, Any], by: str, reason: str) -> Order:
        """Written down before it is given: a node that dies over it gives it again. Raises StoreError."""
        order = Order(
            recording=str(recording["id"]),
            kind=kind,
            node=self._node,
            tenant=str(recording["tenant"]),
            asked_by=by,
            reason=reason,
            at=utc.now_ms(),
        )
        self._cdrs.recorded(order)
        await self._cdrs.flush()
        return order

    async def standing(self) -> list[Order]:
        """Orders of which nobody knows whether they were carried out. Raises StoreError."""
        return await self._cdrs.ask(lambda engine: rows.standing(engine, self._node))

    # ---- what the recorder says ----

    async def heard(self, report: dict[str, Any], noted: Callable[[str], None]) -> None:
        """Write a report down, tell it, and confirm it once it is written. Raises StoreError."""
        kind, recording = str(report.get("kind")), str(report.get("recording") or "")
        if recording and kind in REPORTS:
            known = await self._cdrs.ask(lambda engine: rows.find(engine, recording))
            values, fields = REPORTS[kind](report)
            tenant = str(report.get("tenant") or (known or {}).get("tenant") or "")
            if known is None:
                self._adopt(recording, tenant, report)
                known = {}
            if any(known.get(name) != value for name, value in shown(values).items()):
                self._cdrs.recorded(RecordingChange(recording, values))
                self._tell(kind, tenant, {"recording": recording, "recorded_call": known.get("call"), **fields})
            await self._cdrs.flush()
        if recording and (order := order_of(report)):
            self._cdrs.recorded(OrderDone(recording, order))
            await self._cdrs.flush()
        if kind == "rejected":
            self._log.error("the recorder did not understand", of=report.get("of"), why=report.get("why"))
        if report.get("report"):
            noted(str(report["report"]))

    def _tell(self, kind: str, tenant: str, fields: dict[str, Any]) -> None:
        """Outside of the call: its last event has been told."""
        emit = partial(self._events.emit, tenant=tenant, call=None, leg=None)
        match kind:
            case "ready":
                emit("recording.ready", **fields)
            case "failed":
                emit("recording.failed", **fields)
            case "moved":
                emit("recording.moved", **fields)
            case "erased":
                emit("recording.erased", **fields)
            case "held":
                emit("recording.held", **fields)
            case "released":
                emit("recording.released", **fields)

    def _adopt(self, recording: str, tenant: str, report: dict[str, Any]) -> None:
        """A recording that the database does not know: it was lost, or the files came from elsewhere."""
        started = int(report.get("started_at") or utc.now_ms())
        self._cdrs.recorded(RecordingRow(id=recording, node=self._node, tenant=tenant, started=started))

    async def unfinished(self) -> list[tuple[str, str]]:
        """Id and tenant of what earlier runs have left."""
        return await self._cdrs.ask(lambda engine: rows.unfinished(engine, self._node))

    def left(self, identifiers: Iterable[str]) -> None:
        """An earlier run was cut off while these were made."""
        for one in identifiers:
            self._cdrs.recorded(RecordingChange(one, {"state": "processing"}))

    def lost(self, identifier: str, tenant: str) -> None:
        """Nothing is left of it."""
        self._log.error("nothing is left of a recording", recording=identifier)
        self._cdrs.recorded(RecordingChange(identifier, {"state": "failed", "reason": LOST}))
        fields = {"recording": identifier, "recorded_call": None, "reason": LOST, "detail": "", "capture_kept": False}
        self._events.emit("recording.failed", tenant=tenant, call=None, leg=None, **fields)


Values = tuple[dict[str, Any], dict[str, Any]]  # of the row, and of the event


def _ready(report: dict[str, Any]) -> Values:
    files = tuple(dict(one) for one in report["files"])
    seconds = float(report.get("seconds") or 0)
    row = {
        "state": "ready",
        "reason": "",
        "files": files,
        "bytes": sum(int(one["bytes"]) for one in files),
        "stored": utc.now_ms(),
        "ms": round(1000 * seconds),
        "store": str(report.get("store") or ""),
        "is_pending": bool(report.get("pending")),
        "is_recovered": bool(report.get("recovered")),
        "is_encrypted": bool(report.get("encrypted")),
        "masked_ms": int(report.get("masked_ms") or 0),
    }
    if report.get("started_at"):
        row["ended"] = int(report["started_at"]) + round(1000 * seconds)
    names = ("kind", "name", "format", "bytes", "sha256", "seconds")
    told = {
        "files": [{name: one.get(name) for name in names} for one in files],
        "seconds": seconds,
        "store": row["store"],
        "recovered": row["is_recovered"],
    }
    return row, told


def _failed(report: dict[str, Any]) -> Values:
    reason = str(report.get("reason"))
    row: dict[str, Any] = {"reason": reason}
    if report.get("final"):
        row["state"] = "failed"
    return row, {"reason": reason, "detail": str(report.get("text") or ""), "capture_kept": True}


def _moved(report: dict[str, Any]) -> Values:
    store = str(report.get("store") or "")
    return {"store": store, "is_pending": False}, {"store": store}


def _erased(report: dict[str, Any]) -> Values:
    row = {"state": "erased", "erased": utc.now_ms(), "reason": str(report.get("reason") or "")}
    names = ("by", "reason", "entry", "hash")
    return row, {name: report.get(name) for name in names}


def _held(report: dict[str, Any]) -> Values:
    return {"is_held": True}, {"by": report.get("by")}


def _released(report: dict[str, Any]) -> Values:
    return {"is_held": False}, {"by": report.get("by")}


REPORTS: Final[dict[str, Callable[[dict[str, Any]], Values]]] = {
    "ready": _ready,
    "failed": _failed,
    "moved": _moved,
    "erased": _erased,
    "held": _held,
    "released": _released,
}
SETTLES: Final = {"erased": "erase", "held": "hold", "released": "release", "rewrapped": "rewrap"}


def order_of(report: Mapping[str, Any]) -> str:
    """The order that a report settles, carried out or not; none of them: empty."""
    match report.get("kind"):
        case "refused":
            return str(report.get("order") or "")
        case "rejected":
            return str(report.get("of") or "")
        case kind:
            return SETTLES.get(str(kind), "")


UNTOLD: Final = frozenset({"stored", "ended", "erased", "files"})  # values that differ each time a report is read


def shown(values: dict[str, Any]) -> dict[str, Any]:
    """What of a change tells whether it is one."""
    return {name: value for name, value in values.items() if name not in UNTOLD}
