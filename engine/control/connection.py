"""One control client: its requests one after the other, its events as they come. One that does not read is dropped."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from santral.engine import log
from santral.engine.control.access import Identity
from santral.engine.control.commands import may_wait, perform
from santral.engine.control.protocol import (
    FrameError,
    Request,
    RequestError,
    Requests,
    event_frame,
    notification,
    response,
)
from santral.engine.control.view import EngineView
from santral.engine.events import Subscription, SubscriptionError

if TYPE_CHECKING:
    from santral.engine.control.server import ControlServer

READ_BYTES: Final = 64 * 1024
MAX_REFUSED_LOGINS: Final = 3  # on one connection
MAX_WAITING: Final = 256  # of one connection: answers that may take long


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, and for how much, a client is waited for (seconds, bytes)."""

    login_s: float = 10.0  # a TCP client must have logged in by then
    reading_s: float = 5.0  # … and must make room for what it is sent
    closing_s: float = 2.0  # … and may still read this long after it was told why it is dropped
    unsent_bytes: int = 256 * 1024  # kept for a client before it is waited for
    coalesce_s: float = 0.005  # events that come this close together are written together


class SlowReaderError(Exception):
    """The client does not read."""


class Connection:
    """A client and what it may do. Runs in one task, with further ones for events and for requests that wait."""

    def __init__(
        self,
        server: "ControlServer",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        who: Identity | None,
        peer: str,
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self.who = who
        self.peer: Final = peer
        self._frames = Requests()
        self._followed: Subscription | None = None
        self._talk: asyncio.Task[None] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._deadline: asyncio.Timeout | None = None
        self._waiting: set[asyncio.Task[None]] = set()  # answers that come when they can
        self._refused_logins = 0
        self._dismissed = False
        self._log = log.get("control", peer=peer)

    @property
    def engine(self) -> EngineView:
        """The engine this client talks to."""
        return self._server.engine

    async def run(self) -> None:
        """Serve the client until it leaves or is dropped."""
        if self._writer.is_closing():
            return
        self._writer.transport.set_write_buffer_limits(high=self._server.patience.unsent_bytes)
        self._talk = asyncio.create_task(self._converse(), name="control-requests")
        try:
            await self._talk
        except asyncio.CancelledError:
            if not self._dismissed:
                raise
        except SlowReaderError:
            self._drop_slow("answers were not read")
        finally:
            self.unfollow()
            for task in self._waiting:
                task.cancel()
            await self._close()

    async def login(self, name: str, secret: str) -> Identity:
        """Become the client with this token, for the rest of the connection."""
        try:
            self.who = await self._server.login(self, name, secret)
        except RequestError:
            self._refused_logins += 1
            raise
        self.unfollow()
        if self._deadline is not None:
            self._deadline.reschedule(None)
        return self.who

    def follow(self, subscription: Subscription) -> None:
        """Take up a subscription; its events begin after the answer to the current request."""
        self.unfollow()
        self._followed = subscription

    def unfollow(self) -> bool:
        """Give up the subscription, if there is one."""
        followed, self._followed = self._followed, None
        if followed is not None:
            followed.close()
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        return followed is not None

    def dismiss(self, code: str, message: str) -> None:
        """Tell the client why it is dropped, and close once it has read that or its time is up."""
        if self._dismissed:
            return
        self._dismissed = True
        self._log.info("control client dropped", code=code, message=message)
        self._write(notification("closing", {"code": code, "message": message}))
        if self._talk is not None:
            self._talk.cancel()

    async def turn_away(self, code: str, message: str) -> None:
        """Tell a client that was never served why, and close."""
        self.dismiss(code, message)
        await self._close()

    async def _converse(self) -> None:
        patience = self._server.patience
        try:
            async with asyncio.timeout(patience.login_s if self.who is None else None) as self._deadline:
                await self._read_requests()
        except TimeoutError:
            if self.who is None:
                self.dismiss("login_required", f"no engine.login within {patience.login_s:g} s")

    async def _read_requests(self) -> None:
        while data := await self._reader.read(READ_BYTES):
            requests, problem = self._frames.receive(data)
            for request in requests:
                if may_wait(request.method):
                    self._answer_later(request)
                else:
                    await self._answer(request)
            if problem is not None:
                self._refuse_frame(problem)
                return

    def _answer_later(self, request: Request) -> None:
        """Work on a request that may wait for something, beside those that follow it."""
        if len(self._waiting) >= MAX_WAITING:
            refusal = RequestError("busy", f"{MAX_WAITING} requests of this connection wait already")
            self._write(response(request.id, refusal.as_map()))
            return
        task = asyncio.create_task(self._answer(request), name="control-waiting")
        self._waiting.add(task)
        task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        if isinstance(task.exception(), SlowReaderError):
            self._drop_slow("answers were not read")
        elif not isinstance(task.exception(), ConnectionError):
            self._log.error("a control request failed", exc_info=task.exception())

    async def _answer(self, request: Request) -> None:
        self._server.counters["requests"] += 1
        error: dict[str, Any] | None = None
        result: dict[str, Any] | None = None
        try:
            result = await perform(self, self._server.answers, request)
        except RequestError as refusal:
            error = refusal.as_map()
        except Exception:
            self._log.exception("a control request failed", method=request.method)
            error = RequestError("internal", "the engine failed; its log says how").as_map()
        if error is not None:
            self._server.counters["errors"] += 1
        await self._send(response(request.id, error, result))
        if self._followed is not None and self._pump is None:
            self._pump = asyncio.create_task(self._send_events(self._followed), name="control-events")
        if self._refused_logins >= MAX_REFUSED_LOGINS:
            self.dismiss("refused", f"{MAX_REFUSED_LOGINS} wrong logins")

    async def _send_events(self, followed: Subscription) -> None:
        try:
            while batch := await followed.batch():
                await self._send(b"".join(map(event_frame, batch)))
                await asyncio.sleep(self._server.patience.coalesce_s)
        except SubscriptionError as problem:
            self._drop_slow(str(problem))
        except SlowReaderError:
            self._drop_slow("events were not read")
        except ConnectionError:
            return

    def _write(self, frame: bytes) -> None:
        if not self._writer.is_closing():  # uvloop raises where asyncio only warns
            self._writer.write(frame)

    async def _send(self, frame: bytes) -> None:
        self._write(frame)
        try:
            async with asyncio.timeout(self._server.patience.reading_s):
                await self._writer.drain()
        except TimeoutError:
            raise SlowReaderError from None

    def _refuse_frame(self, problem: FrameError) -> None:
        self._server.counters["errors"] += 1
        self._write(response(None, problem.as_map()))
        self.dismiss(problem.code, problem.message)

    def _drop_slow(self, message: str) -> None:
        self._server.counters["slow_readers"] += 1
        self.dismiss("slow_reader", message)

    async def _close(self) -> None:
        """Close. A client that was dropped may read why until its time is up; what it still sends is thrown away.

        Closing with its bytes unread would make the kernel reset the connection, and the reason with it.
        """
        try:
            async with asyncio.timeout(self._server.patience.closing_s):
                if self._dismissed and not self._writer.is_closing() and self._writer.can_write_eof():
                    self._writer.write_eof()
                    while await self._reader.read(READ_BYTES):
                        pass
                self._writer.close()
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except OSError:
            self._writer.close()
