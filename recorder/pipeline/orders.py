"""Orders about recordings: erase, hold, release; kept on disk until they are carried out, and carried out once.

Erasing destroys the data key first, then the files wherever they may be, and then says so in the ledger. A legal hold
wins: what is held is not erased, by nobody. Wrapping keys are changed record by record.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgpack

from santral.recorder.keys import KeysError
from santral.recorder.ledger import Place
from santral.recorder.pipeline.job import Job, Lock
from santral.recorder.pipeline.layout import checked, folder_of, is_id
from santral.recorder.pipeline.records import Record
from santral.recorder.pipeline.settings import LOCAL
from santral.recorder.pipeline.steps import Tools
from santral.recorder.storage import StorageError
from santral.recorder.storage.disk import make_folders, write_whole

KINDS: Final = ("hold", "release", "erase")  # in the order they are carried out in
SUFFIX: Final = ".msgpack"
DAY_S: Final = 86_400


class Orders:
    """One of each kind per recording."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._folder = tools.layout.orders

    def take(self, kind: str, recording: str, said: Mapping[str, Any]) -> None:
        """Remember an order; `at` (UTC ms) tells it from others of its kind, `again` that it may be carried out.

        Raises OSError; ValueError for what is no id.
        """
        make_folders(self._folder)
        order = {name: said.get(name, "") for name in ("tenant", "by", "reason")}
        order |= {"at": said.get("at") or time.time_ns() // 1_000_000, "again": bool(said.get("again"))}
        path = self._path(recording, kind)
        known = _read(path)
        if known is not None and (kind == "erase" or known["at"] == order["at"]):
            return  # it may be half carried out, and knows what is left
        write_whole(path, msgpack.packb(order))
        other = {"hold": "release", "release": "hold"}.get(kind)
        if other:
            self._path(recording, other).unlink(missing_ok=True)

    def recordings(self) -> set[str]:
        """Those that something was ordered about."""
        with suppress(FileNotFoundError):
            names = {path.name.partition(".")[0] for path in self._folder.glob(f"*{SUFFIX}")}
            return {name for name in names if is_id(name)}
        return set()

    def has_any(self, recording: str) -> bool:
        return any(self._path(recording, kind).exists() for kind in KINDS)

    def carry_out(self, lock: Lock, job: Job) -> bool:
        """Do what is ordered about a recording whose job is locked; True if it is erased. Raises `StorageError`."""
        for kind in KINDS if not self._has_begun_to_erase(job) else ("erase",):
            path = self._path(job.recording, kind)
            order = _read(path)
            if order is None:
                continue
            is_erased = False
            if job.tenant and job.tenant != order["tenant"]:
                self._refuse(job, order, kind, "unknown")
            elif kind == "erase":
                is_erased = self._erase(job, order, path)
            else:
                self._hold(job, order, path, hold=kind == "hold")
            if is_erased:
                lock.remove()  # before the order goes: what is left of the job must not go on
            self._tools.faults.at("erased.done")
            path.unlink(missing_ok=True)
            if is_erased:
                return True
        return False

    def _has_begun_to_erase(self, job: Job) -> bool:
        """The key may be destroyed already: nothing holds it up now."""
        order = _read(self._path(job.recording, "erase"))
        return order is not None and "files" in order

    def _hold(self, job: Job, order: dict[str, Any], path: Path, *, hold: bool) -> None:
        tools, tenant = self._tools, str(order["tenant"])
        mark = {name: order[name] for name in ("by", "reason", "at")} if hold else None
        known = tools.records.get(tenant, job.recording)
        is_under_way = bool(job.step) or job.capture.exists()
        if known is None and not is_under_way:
            self._refuse(job, order, "hold" if hold else "release", "unknown")
            return
        if _is_carried_out(order, known.hold if known else job.hold, hold=hold):
            self._report_hold(job, order, None, hold=hold)
            return
        place = self._place(order, path)
        tools.records.hold(tenant, job.recording, mark)
        if is_under_way:  # a step that is done again writes the record anew
            job.hold = mark
            job.save()
        kind = "hold" if hold else "released"
        facts = {"recording": job.recording, "tenant": tenant, "by": order["by"], "reason": order["reason"]}
        entry = tools.ledger.append(kind, facts, since=place)
        self._report_hold(job, order, entry.number, hold=hold)

    def _report_hold(self, job: Job, order: dict[str, Any], entry: int | None, *, hold: bool) -> None:
        outbox, (report, other) = self._tools.outbox, ("held", "released") if hold else ("released", "held")
        outbox.drop(f"{job.recording}.{other}")
        said = {"recording": job.recording, "tenant": order["tenant"], "by": order["by"]}
        outbox.put(job.recording, report, **said, entry=entry)

    def _erase(self, job: Job, order: dict[str, Any], path: Path) -> bool:
        tools, tenant = self._tools, str(order["tenant"])
        record = tools.records.get(tenant, job.recording)
        if "files" not in order and ((record and record.hold) or job.hold):
            self._refuse(job, order, "erase", "held")
            return False
        if record is None and not job.step and not job.capture.exists() and "files" not in order:
            self._refuse(job, order, "erase", "unknown")
            return False
        place = self._place(order, path, record, job)
        job.capture.unlink(missing_ok=True)
        tools.records.remove(tenant, job.recording)  # and with it the data key
        job.key = b""
        if job.step:
            job.save()
        for name in {*order["stores"], LOCAL}:
            for file in order["files"]:
                tools.faults.at("erased")
                self._delete(name, file["name"])
        facts = {"recording": job.recording, "tenant": tenant, "by": order["by"], "reason": order["reason"]}
        proof = [{"name": file["name"], "sha256": file.get("sha256", "")} for file in order["files"]]
        entry = tools.ledger.append("erased", {**facts, "files": proof}, since=place)
        for kind in ("ready", "moved", "failed", "held", "released"):
            tools.outbox.drop(f"{job.recording}.{kind}")
        said = {name: facts[name] for name in ("recording", "tenant", "by", "reason")}
        tools.outbox.put(job.recording, "erased", **said, entry=entry.number, hash=entry.hash)
        return True

    def _delete(self, store: str, name: str) -> None:
        try:
            self._tools.stores.get(store).delete(name)
        except KeyError:
            raise StorageError("gone", f"{store}: there is no such store in the settings") from None

    def _place(self, order: dict[str, Any], path: Path, record: Record | None = None, job: Job | None = None) -> Place:
        """What must be known to go on after a crash is written down before anything is done."""
        if "place" not in order:
            order["place"] = str(self._tools.ledger.place())
            if job is not None:
                order["files"] = list(record.files) if record else job.files
                stores = {record.store} if record else set()
                stores |= {job.store} - {""}
                if job.files:  # it may have been under way to the tenant's store
                    stores.add(self._tools.settings.tenant(job.tenant).store)
                order["stores"] = sorted(stores)
            write_whole(path, msgpack.packb(order))
        return Place.parse(order["place"])

    def _refuse(self, job: Job, order: dict[str, Any], kind: str, why: str) -> None:
        said = {"recording": job.recording, "tenant": order["tenant"], "order": kind, "why": why}
        self._tools.outbox.put(job.recording, "refused", **said)

    def _path(self, recording: str, kind: str) -> Path:
        return self._folder / f"{checked(recording)}.{kind}{SUFFIX}"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        order: dict[str, Any] = msgpack.unpackb(path.read_bytes())
    except FileNotFoundError:
        return None
    return order


def _is_carried_out(order: dict[str, Any], present: dict[str, Any] | None, *, hold: bool) -> bool:
    """Given again by somebody who does not know: not half carried out, which `place` would tell."""
    if "place" in order:
        return False
    if not hold:
        return bool(order.get("again")) and present is None
    return present is not None and all(present.get(name) == order[name] for name in ("by", "reason", "at"))


def order_expired(tools: Tools, orders: Orders, now_s: float) -> int:
    """Order to erase what has outlived its tenant's retention and is not held; the count of them."""
    count = 0
    folders = {folder_of(name): name for name in tools.settings.tenants if name}
    for folder in tools.records.tenants():
        days = tools.settings.tenant(folders.get(folder, "")).retention_days
        if days <= 0:
            continue
        last = time.strftime("%Y/%m/%d", time.gmtime(now_s - days * DAY_S))
        for path in tools.records.paths(folder, before_day=last):
            with suppress(ValueError, FileNotFoundError):
                record = Record.parse(path.read_bytes())
                if not record.hold:
                    said = {"tenant": record.tenant, "by": "retention", "reason": f"{days} days"}
                    orders.take("erase", record.recording, said)
                    count += 1
    return count


def rewrap(tools: Tools, tenant: str, *, is_ordered: bool = True) -> None:
    """Wrap every data key of a tenant by its current key; audio stays as it is. What failed keeps its old form.

    Without an order nothing is said where nothing was to be done.
    """
    ring, count, failed = tools.settings.keyring, 0, 0

    def again(record: Record) -> Record:
        key = ring.unwrap(tenant, record.recording, record.key)
        return replace(record, key=ring.wrap(tenant, record.recording, key))

    for path in tools.records.paths(tenant):
        if tools.stopping.is_set():
            return
        try:
            before = Record.parse(path.read_bytes())
            if before.tenant == tenant and before.key and not ring.is_current(tenant, before.key):
                tools.records.change(tenant, before.recording, again)
                count += 1
        except (KeysError, ValueError, OSError):
            failed += 1
    if is_ordered or count:
        entry = tools.ledger.append("rewrapped", {"tenant": tenant, "count": count, "failed": failed})
        subject, number = f"tenant-{folder_of(tenant)}", entry.number
        tools.outbox.put(subject, "rewrapped", tenant=tenant, count=count, failed=failed, entry=number)


def rewrap_stale(tools: Tools) -> None:
    """The same for everybody whose key has changed, as far as the settings tell; at the start, and by new settings."""
    for folder in tools.records.tenants():
        for path in tools.records.paths(folder):
            with suppress(ValueError, OSError):
                tenant = Record.parse(path.read_bytes()).tenant
                if tools.settings.keyring.may_be_stale(tenant):
                    rewrap(tools, tenant, is_ordered=False)
            break
