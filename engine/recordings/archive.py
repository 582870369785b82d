"""Recordings that are over: what the recorder process reports of them, orders to it, what earlier runs left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from santral.engine import log
from santral.engine.cdr.recordings import OPPOSITES, Order
from santral.engine.cdr.store import StoreError
from santral.engine.control.protocol import RequestError
from santral.engine.recordings.book import Book, order_of
from santral.engine.recordings.captures import Captures
from santral.engine.recordings.supervisor import RecorderProcess
from santral.recorder.capture.opening import YOUNG_S

ORDER_S: Final = 30.0  # for the recorder to carry an order out
WORK_FOLDERS: Final = ("jobs", "outbox")  # of the recorder, in the folder of data: it has something to do
KEPT: Final = "records"  # its own index: retention, holds
AGAIN: Final = "again"  # of an order that may have been carried out already


def _frame_of(order: Order) -> dict[str, Any]:
    return {
        "kind": order.kind,
        "recording": order.recording,
        "tenant": order.tenant,
        "by": order.asked_by,
        "reason": order.reason,
        "at": order.at,
    }


class Archive:
    """Reports are taken one after the other, each written before it is confirmed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, captures: Captures, book: Book, data_dir: Path) -> None:
        self._loop, self._captures, self._book, self._folder = loop, captures, book, data_dir
        self._process: RecorderProcess | None = None
        self._reports: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._standing: dict[tuple[str, str], dict[str, Any]] = {}  # by recording and kind: orders not carried out yet
        self._awaited: dict[str, tuple[str, asyncio.Future[Mapping[str, Any]]]] = {}  # by recording or tenant
        self._log = log.get("recordings")

    # ---- life ----

    async def start(self, process: RecorderProcess) -> None:
        """Hand over what an earlier run left behind. Raises OSError."""
        self._process = process
        self._captures.prepare()
        self._task = self._loop.create_task(self._read())
        self._sweeping = self._loop.create_task(self._sweep())
        left = set(await asyncio.to_thread(self._left_behind))
        try:
            unfinished, orders = await self._book.unfinished(), await self._book.standing()
        except StoreError as problem:
            self._log.error("unfinished recordings are not known", error=str(problem))
            unfinished, orders = [], []
        for order in orders:
            self._standing[order.recording, order.kind] = {**_frame_of(order), AGAIN: True}
        self._book.left(one for one, _ in unfinished if one in left)
        for one, tenant in unfinished:
            if one not in left:
                self._book.lost(one, tenant)
        if left:
            self._log.warning("recordings of an earlier run are finished now", count=len(left))
        if self._standing:
            self._log.warning("orders of an earlier run are given again", count=len(self._standing))
        if left or self._standing or (self._folder / KEPT).is_dir():
            process.need()

    async def _sweep(self) -> None:
        """Captures that an engine was killed over before they had begun: nothing was recorded of them."""
        while True:
            try:
                gone, is_young = await asyncio.to_thread(self._captures.sweep)
            except OSError as problem:
                self._log.error("the folder of captures cannot be swept", error=str(problem))
                return
            for name in gone:
                self._log.warning("a capture that never began is taken away", file=name)
            if not is_young:
                return
            await asyncio.sleep(YOUNG_S)

    def _left_behind(self) -> list[str]:
        """Ids of recordings that the recorder has something to do for. Raises OSError."""
        found = self._captures.left_behind()
        for name in WORK_FOLDERS:
            folder = self._folder / name
            if folder.is_dir():
                found += [one.name.partition(".")[0] for one in folder.iterdir()]
        return found

    async def close(self) -> None:
        """What was reported is still written."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping
        if self._task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(ORDER_S):
                    await self._reports.join()
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for _, one in self._awaited.values():
            one.cancel()

    # ---- reports ----

    def hear(self, frame: Mapping[str, Any]) -> None:
        """A report of the recorder process."""
        self._reports.put_nowait(dict(frame))

    async def _read(self) -> None:
        while True:
            report = await self._reports.get()
            try:
                await self._book.heard(report, self._confirm)
                self._settle(report)
            except StoreError as problem:  # not confirmed: it comes again
                self._log.error("a report of the recorder is not written", error=str(problem))
            except Exception:
                self._log.exception("a report of the recorder was not understood", report=report.get("kind"))
            finally:
                self._reports.task_done()

    def _confirm(self, report: str) -> None:
        if self._process is not None:
            self._process.tell({"kind": "noted", "report": report})

    def _settle(self, report: Mapping[str, Any]) -> None:
        self._standing.pop((str(report.get("recording")), order_of(report)), None)
        awaited = self._awaited.get(str(report.get("recording") or report.get("tenant") or ""))
        if awaited is not None and awaited[0] == order_of(report) and not awaited[1].done():
            awaited[1].set_result(report)

    # ---- orders ----

    async def order(self, what: str, recording: Mapping[str, Any], by: str, reason: str) -> Mapping[str, Any]:
        """Have a recording erased, held or released; answers when that is done. Raises `RequestError`."""
        if recording["state"] not in {"ready", "failed"}:
            raise RequestError("bad_state", "the recording is not finished, or is gone", {"state": recording["state"]})
        return await self._carried_out(str(recording["id"]), what, partial(self._give, what, recording, by, reason))

    async def _give(self, what: str, recording: Mapping[str, Any], by: str, reason: str) -> None:
        """From here on it stands, whoever dies meanwhile."""
        try:
            order = await self._book.ordered(what, recording, by, reason)
        except StoreError as problem:
            raise RequestError("unavailable", str(problem), None) from None
        self._standing.pop((order.recording, OPPOSITES.get(what, what)), None)
        self._standing[order.recording, what] = frame = _frame_of(order)
        if self._process is not None:
            self._process.tell(frame, stands=True)

    def standing(self) -> list[Mapping[str, Any]]:
        """What a recorder process is told when it begins: the one before may have died before it was on its disk."""
        told: list[Mapping[str, Any]] = list(self._standing.values())
        self._standing = {key: {**frame, AGAIN: True} for key, frame in self._standing.items()}
        return told

    async def rewrap(self, tenant: str) -> Mapping[str, Any]:
        """Have the data keys of a tenant wrapped by its present key. Raises `RequestError`."""

        async def give() -> None:
            if self._process is not None:
                self._process.tell({"kind": "rewrap", "tenant": tenant})

        return await self._carried_out(tenant, "rewrap", give)

    async def _carried_out(self, about: str, what: str, give: Callable[[], Awaitable[None]]) -> Mapping[str, Any]:
        """The report that settles the order which `give` gives."""
        if about in self._awaited:
            raise RequestError("bad_state", "another order for this is under way", {"of": about})
        if self._process is None:
            raise RequestError("unavailable", "there is no recorder process", None)
        awaited: asyncio.Future[Mapping[str, Any]] = self._loop.create_future()
        self._awaited[about] = what, awaited
        try:
            await give()
            async with asyncio.timeout(ORDER_S):
                report = await awaited
        except TimeoutError:
            raise RequestError("unavailable", "the recorder has not answered; see recording events", None) from None
        finally:
            del self._awaited[about]
        if report["kind"] in {"refused", "rejected"}:
            why = str(report.get("why") or "")
            raise RequestError("refused", f"the recorder refuses: {why}", {"why": why})
        return dict(report)
