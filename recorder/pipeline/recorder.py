"""The recorder: finds what is to be done on disk, and does it by the steps, some recordings at a time.

It needs nobody: the engine's frames only make it look sooner, and take its reports. Everything it knows is on disk, so
it may be killed at any moment.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from santral.recorder.ledger import Ledger, LedgerError
from santral.recorder.ledger.anchor import AnchorError, anchor, is_due
from santral.recorder.pipeline.faults import Faults
from santral.recorder.pipeline.job import Job, Lock
from santral.recorder.pipeline.layout import CAPTURE, Layout, is_id
from santral.recorder.pipeline.making import CaptureSource, Open, PipelineError, verdict
from santral.recorder.pipeline.orders import Orders, order_expired, rewrap, rewrap_stale
from santral.recorder.pipeline.outbox import Outbox
from santral.recorder.pipeline.records import Records
from santral.recorder.pipeline.settings import Settings
from santral.recorder.pipeline.steps import AgainError, StoppedError, Tools, Work, claim, next_step
from santral.recorder.pipeline.stores import Stores, wait_s
from santral.recorder.storage.disk import make_folders

DEATHS: Final = 5  # of processes over one recording: it is not tried again by itself
SAFE: Final = ("entered", "deleted", "reported")  # stored, proved and found: what fails now is no failed recording
SENDERS: Final = 8
SCAN_S: Final = 5.0
SWEEP_S: Final = 3600.0
Says = Callable[..., None]


def silence(_event: str, **_facts: Any) -> None:
    """For who wants no log."""


class Recorder:
    """One process's work. `say(event, **facts)` takes what an operator should read; it is called from any thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        say: Says = silence,
        open_source: Open = CaptureSource,
        outbox: Outbox | None = None,
    ) -> None:
        layout = Layout(settings.data_dir)
        for folder in layout.all():
            with suppress(OSError):  # said by the first step that needs it
                make_folders(folder)
        self.tools = Tools(
            settings=settings,
            layout=layout,
            ledger=Ledger(layout.ledger),
            records=Records(layout),
            outbox=outbox or Outbox(layout.outbox),
            stores=Stores(settings.stores, settings.retry),
            faults=Faults(settings.faults),
            stopping=threading.Event(),
            say=say,
            open_source=open_source,
        )
        self.orders = Orders(self.tools)
        self._say = say
        self._run = f"{os.getpid()}-{uuid.uuid4()}"
        self._lock = threading.Lock()  # of what follows
        self._active: dict[str, Lock | None] = {}
        self._due: dict[str, float] = {}  # UTC seconds; what waits for another try
        self._again: set[str] = set()  # something was said about it while it was worked on
        self._making = ThreadPoolExecutor(settings.workers, thread_name_prefix="make")
        self._sending = ThreadPoolExecutor(SENDERS, thread_name_prefix="send")
        self._chores = ThreadPoolExecutor(1, thread_name_prefix="chore")
        self._pending: set[str] = set()
        self._failed: set[str] = set()
        self._anchor_failures, self._anchor_at, self._swept_at = 0, 0.0, 0.0
        self.on_change: Callable[[], None] = lambda: None

    # ---- what there is to do ----

    def scan(self, *, everything: bool = False) -> list[str]:
        """Recordings that something can be done for now; with `everything` also what waits for a later try."""
        now = time.time()
        found: dict[str, None] = dict.fromkeys(sorted(self.orders.recordings()))
        for folder in sorted(_listed(self.tools.layout.jobs)):
            found.setdefault(folder.name)
        for path in sorted(_listed(self.tools.layout.captures)):
            if path.suffix == CAPTURE and _is_closed(path):
                found.setdefault(path.stem)
        with self._lock:
            busy = set(self._active)
            waits = {} if everything else {name: at for name, at in self._due.items() if at > now}
        return [name for name in found if is_id(name) and name not in busy and name not in waits]

    def process(self, recording: str) -> None:
        """The engine has closed a capture: take it now."""
        with self._lock:
            self._due.pop(recording, None)
        self.start(recording)

    def start(self, recording: str) -> Future[None] | None:
        """Have a thread take it on; None if one has it."""
        with self._lock:
            if recording in self._active:
                self._again.add(recording)
                return None
            self._active[recording] = None
        return self._making.submit(self._first, recording)

    def counts(self) -> dict[str, int]:
        with self._lock:
            waiting = len([name for name in self._due if name not in self._active and name in self._failed])
            return {"jobs": len(self._active), "waiting": waiting, "pending": len(self._pending)}

    # ---- one recording ----

    def work_on(self, recording: str) -> bool:
        """All that can be done now, in this thread. True: nothing of it failed."""
        with self._lock:
            self._active[recording] = None
        self._first(recording, self._second)
        return recording not in self._failed

    def _first(self, recording: str, go_on: Callable[[Work, Lock], None] | None = None) -> None:
        """Orders, and the steps that need this machine; then on to those that wait for others."""
        lock, work = None, None
        try:
            lock = Lock.take(self.tools.layout.job(recording))
            work = self._begin(lock, recording) if lock is not None else None
            if lock is None or work is None:
                self._rest(recording)
            elif not self._advance(work, is_sending=False):
                self._finish(lock, work)
            elif go_on is not None:
                go_on(work, lock)
            else:
                self._sending.submit(self._second, work, lock)
        except Exception as problem:
            self._fail(recording, lock, work, problem)

    def _second(self, work: Work, lock: Lock) -> None:
        try:
            self._advance(work, is_sending=True)
            self._finish(lock, work)
        except Exception as problem:
            self._fail(work.job.recording, lock, work, problem)

    def _begin(self, lock: Lock, recording: str) -> Work | None:
        """None: nothing is left to do, and the folder is gone."""
        job = Job.load(lock.folder)
        if self.tools.layout.capture(recording).exists():
            if not _is_closed(self.tools.layout.capture(recording)):
                lock.remove()  # it grows: orders about it wait too
                return None
            if self.orders.has_any(recording):
                claim(Work(job, self.tools))  # what is ordered is done to it here, not where it may be taken away
        if self.orders.carry_out(lock, job):
            self._forget(recording)
            return None
        is_there = job.step or job.capture.exists() or self.tools.layout.capture(recording).exists()
        if not is_there:  # an order about something finished long ago, or nothing at all
            lock.remove()
            self._forget(recording)
            return None
        if job.run and job.run != self._run:
            job.deaths += 1
            if job.step != "reported" and "recorder" not in job.recovered:
                job.recovered.append("recorder")
        job.run = "" if job.deaths >= DEATHS else self._run
        job.save()
        if job.deaths >= DEATHS:
            raise PipelineError("unexpected", f"{job.deaths} processes have died over it; `recover` tries it again")
        return Work(job, self.tools)

    def _advance(self, work: Work, *, is_sending: bool) -> bool:
        """Do the steps of one kind; True if others follow."""
        job, faults = work.job, self.tools.faults
        while step := next_step(job):
            if step.is_sending != is_sending:
                return True
            if step.name == "moved" and not work.is_pending:
                break
            if self.tools.stopping.is_set():
                raise StoppedError
            try:
                faults.at(step.name)
                step.act(work)
                faults.at(f"{step.name}.done")
            except AgainError as again:
                job.step = again.step
            else:
                job.step, job.tries, job.failure = step.name, 0, None
                self._failed.discard(job.recording)
            job.save()
            self.on_change()
        return False

    def _finish(self, lock: Lock, work: Work) -> None:
        recording = work.job.recording
        work.close()
        lock.remove()
        self._say("recording stored", recording=recording, store=work.job.store)
        self._forget(recording)
        self._rest(recording)

    def _fail(self, recording: str, lock: Lock | None, work: Work | None, problem: Exception) -> None:
        """Put it down, in good order; say why, and when it will be taken up again."""
        try:
            if work is not None:
                work.close()
            if not isinstance(problem, StoppedError):
                job = work.job if work is not None else Job.load(self.tools.layout.job(recording))
                self._note_failure(job, verdict(problem))
            elif work is not None:
                self._put_down(work.job)
        finally:
            if lock is not None:
                lock.release()
            self._rest(recording)

    def _put_down(self, job: Job) -> None:
        """This process ends, or waits, on purpose: whoever goes on recovers nothing."""
        job.run = ""
        with suppress(OSError):
            job.save()

    def _note_failure(self, job: Job, why: PipelineError) -> None:
        wait = wait_s(self.tools.settings.retry, job.tries)
        job.tries += 1
        job.retry_at = time.time() + wait
        is_safe = job.step in SAFE or self.orders.has_any(job.recording)  # it is to be erased, and cannot yet
        is_new = job.failure is None or job.failure["reason"] != why.reason
        job.failure = {"step": _failed_step(job), "reason": why.reason, "text": str(why), "final": why.is_final}
        with self._lock:
            self._due[job.recording] = float("inf") if why.is_final else job.retry_at
            if is_safe:
                self._pending.add(job.recording)
            else:
                self._failed.add(job.recording)
        if not is_safe and is_new:
            self.tools.outbox.put(
                job.recording,
                "failed",
                recording=job.recording,
                tenant=job.tenant,
                **job.failure,
                capture_kept=job.capture.exists() or self.tools.layout.capture(job.recording).exists(),
                tries=job.tries,
                retry_at=0 if why.is_final else round(job.retry_at * 1000),
            )
        self._say("recording waits", recording=job.recording, **job.failure, tries=job.tries, wait_s=round(wait, 1))
        self._put_down(job)

    def _forget(self, recording: str) -> None:
        with self._lock:
            self._due.pop(recording, None)
            self._pending.discard(recording)
            self._failed.discard(recording)

    def _rest(self, recording: str) -> None:
        with self._lock:
            self._active.pop(recording, None)
            is_wanted = recording in self._again
            self._again.discard(recording)
            if is_wanted:
                self._due.pop(recording, None)
        if is_wanted and not self.tools.stopping.is_set():
            self.start(recording)
        self.on_change()

    # ---- chores ----

    def tick(self) -> None:
        """Look for work, and for what is due once in a while. From one thread, every few seconds."""
        for recording in self.scan():
            self.start(recording)
        now = time.monotonic()
        if not self._swept_at or now - self._swept_at >= SWEEP_S:
            if not self._swept_at:
                self._chores.submit(self._chore, lambda: rewrap_stale(self.tools))
            self._swept_at = now
            self._chores.submit(self._chore, self._sweep)
        if now >= self._anchor_at:
            self._anchor_at = now + SCAN_S
            if is_due(self.tools.layout.ledger, self.tools.settings.anchor, time.time_ns() // 1_000_000):
                self._anchor_at = float("inf")  # until the chore says when
                self._chores.submit(self._chore, self.anchor)

    def rewrap(self, tenant: str) -> None:
        self._chores.submit(self._chore, lambda: rewrap(self.tools, tenant))

    def anchor(self) -> None:
        """Tell the ledger's head outside; what fails is tried again, later each time."""
        settings = self.tools.settings
        wait = SCAN_S
        try:
            told = anchor(self.tools.ledger, self.tools.layout.ledger, settings.anchor, settings.node)
            self._anchor_failures = 0
            if told is not None:
                self.tools.outbox.put("ledger", "anchored", entry=told["entry"], hash=told["hash"])
        except (AnchorError, LedgerError, OSError) as problem:
            wait = wait_s(settings.retry, self._anchor_failures)
            self._anchor_failures += 1
            self._say("the ledger's head is not anchored", error=str(problem), wait_s=round(wait, 1))
        self._anchor_at = time.monotonic() + wait

    def _sweep(self) -> None:
        if order_expired(self.tools, self.orders, time.time()):
            self.on_change()

    def _chore(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as problem:  # said, and tried again at its next time
            self._say("a chore failed", error=f"{type(problem).__name__}: {problem}")
        self.on_change()

    # ---- the whole of it ----

    def forgive(self) -> None:
        """What processes have died over is tried again."""
        for folder in _listed(self.tools.layout.jobs):
            if is_id(folder.name) and (lock := Lock.take(folder)):
                job = Job.load(folder)
                if job.deaths:
                    job.deaths = 0
                    job.save()
                lock.release()

    def run_once(self) -> list[str]:
        """Everything that can be done now, each recording tried once; those that failed."""
        done: set[str] = set()
        self._sweep()
        while todo := [name for name in self.scan(everything=True) if name not in done]:
            done.update(todo)
            futures = [future for name in todo if (future := self.start(name))]
            for future in futures:
                future.result()
            while self.counts()["jobs"]:
                time.sleep(0.01)
        if is_due(self.tools.layout.ledger, self.tools.settings.anchor, time.time_ns() // 1_000_000):
            self.anchor()
        return sorted(self._failed)

    def stop(self) -> None:
        """Finish the steps under way, and put everything down."""
        self.tools.stopping.set()
        for pool in (self._making, self._sending, self._chores):
            pool.shutdown(wait=True, cancel_futures=True)
        self.tools.stores.close()


def _failed_step(job: Job) -> str:
    step = next_step(job)
    return step.name if step else ""


def _is_closed(capture: Path) -> bool:
    """Its writer locks a capture before it gets its name, and the kernel takes the lock of a writer that died."""
    from santral.recorder.capture import is_being_written  # noqa: PLC0415 - loads numpy

    try:
        return not is_being_written(capture)
    except OSError:
        return False


def _listed(folder: Path) -> list[Path]:
    with suppress(OSError):
        return list(folder.iterdir())
    return []
