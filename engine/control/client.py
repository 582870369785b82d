"""Clients of the control socket: `SyncClient` for commands and scripts, `Client` for asyncio programs."""

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, Self

import msgpack

from santral.engine.control.protocol import MAX_ID, NOTIFICATION, REQUEST, RESPONSE, RequestError

CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0
READ_BYTES: Final = 64 * 1024
MAX_ANSWER: Final = 64 * 1024 * 1024  # bytes; our own engine is trusted not to send more than it must
MAX_UNREAD: Final = 10_000  # events a Client keeps for a program that does not take them


class Disconnected(ConnectionError):  # noqa: N818 - reads as what happened; ConnectionError is the kind
    """The connection ended; `code` and the text say why when the engine said so (`slow_reader`, `stopping`, …)."""

    def __init__(self, message: str, code: str = "disconnected") -> None:
        super().__init__(message)
        self.code = code


class Reader:
    """Cuts what the engine sends into messages."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(max_buffer_size=MAX_ANSWER)

    def receive(self, data: bytes) -> Iterator[list[Any]]:
        """Return the messages that `data` completes; Disconnected when they are none."""
        try:
            self._unpacker.feed(data)
            for message in self._unpacker:
                if not isinstance(message, list) or len(message) < 3:
                    raise Disconnected("what came is not MessagePack-RPC")
                yield message
        except (ValueError, msgpack.UnpackException) as problem:
            raise Disconnected(f"what came is not MessagePack: {problem}") from None


def request(identifier: int, method: str, params: dict[str, Any]) -> bytes:
    """Pack a request."""
    packed: bytes = msgpack.packb([REQUEST, identifier, method, [params]])
    return packed


def failure(error: Any) -> RequestError:
    """Turn the error of a response into the exception it stands for."""
    if isinstance(error, dict):
        return RequestError(str(error.get("code")), str(error.get("message")), error.get("data"))
    return RequestError("internal", str(error))


def farewell(message: list[Any]) -> Disconnected | None:
    """Read why the engine closes, if `message` says so."""
    if message[0] != NOTIFICATION or message[1] != "closing":
        return None
    why = message[2][0]
    return Disconnected(str(why.get("message")), str(why.get("code")))


class SyncClient:
    """One request at a time, blocking. Close it, or use it in a `with`."""

    def __init__(self, path: str, answer_s: float | None = ANSWER_S) -> None:
        """Connect to the engine's Unix socket; OSError when nobody listens there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(CONNECT_S)
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(answer_s)
        self._reader = Reader()
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []
        self._over: Disconnected | None = None

    def call(self, method: str, **params: Any) -> Any:
        """Send one request and return its result; RequestError when it is refused, Disconnected when it cannot be."""
        identifier = next(self._numbers)
        self._socket.sendall(request(identifier, method, params))
        while True:
            for message in self._receive():
                if message[0] == RESPONSE and message[1] in {identifier, None}:
                    if message[2] is not None:
                        raise failure(message[2])
                    return message[3]

    def events(self, since: int | None = None, types: Sequence[str] = ("*",)) -> Iterator[dict[str, Any]]:
        """Follow events until the engine closes the connection (Disconnected says why)."""
        self.call("events.subscribe", since=since, types=list(types))
        self._socket.settimeout(None)
        while True:
            waiting, self._events = self._events, []
            yield from waiting
            self._receive()

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> list[list[Any]]:
        """Wait for bytes; keep the events among them and return the answers."""
        if self._over is not None:
            raise self._over
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise Disconnected("the engine closed the connection")
        answers = []
        for message in self._reader.receive(data):
            if reason := farewell(message):
                self._over = reason  # raised once what came before it was taken
            elif message[0] == NOTIFICATION and message[1] == "event":
                self._events.append(message[2][0])
            else:
                answers.append(message)
        return answers


class Client:
    """Any number of requests at once, and events, over the Unix socket or TCP. Made by `unix` or `tcp`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._stream = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(MAX_UNREAD)
        self._over: Disconnected | None = None
        self._task = asyncio.create_task(self._read(), name="control-client")

    @classmethod
    async def unix(cls, path: str) -> Self:
        """Connect to an engine on this machine."""
        async with asyncio.timeout(CONNECT_S):
            return cls(*await asyncio.open_unix_connection(path))

    @classmethod
    async def tcp(cls, host: str, port: int, name: str, secret: str, tls: ssl.SSLContext | None = None) -> Self:
        """Connect over TCP and log in as the token `name`; RequestError("refused") when that fails."""
        async with asyncio.timeout(CONNECT_S):
            client = cls(*await asyncio.open_connection(host, port, ssl=tls))
        try:
            await client.call("engine.login", name=name, secret=secret)
        except BaseException:
            await client.close()
            raise
        return client

    async def call(self, method: str, /, **params: Any) -> Any:
        """Send one request and return its result; RequestError when refused, Disconnected when the engine goes."""
        if self._over is not None:
            raise self._over
        identifier = next(self._numbers) % (MAX_ID + 1)
        answer = self._pending[identifier] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(request(identifier, method, params))
            await self._writer.drain()
            async with asyncio.timeout(ANSWER_S):
                return await answer
        finally:
            self._pending.pop(identifier, None)

    async def events(self, since: int | None = None, types: Sequence[str] = ("*",)) -> AsyncIterator[dict[str, Any]]:
        """Follow events; Disconnected when the engine goes. One at a time per connection."""
        await self.call("events.subscribe", since=since, types=list(types))
        while (event := await self._events.get()) is not None:
            yield event
        raise self._over or Disconnected("closed")

    async def close(self) -> None:
        """Disconnect; requests under way end with Disconnected."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        reader = Reader()
        reason = Disconnected("closed")
        try:
            while data := await self._stream.read(READ_BYTES):
                for message in reader.receive(data):
                    await self._take(message)
            reason = Disconnected("the engine closed the connection")
        except Disconnected as problem:
            reason = problem
        except OSError as problem:
            reason = Disconnected(str(problem))
        finally:
            self._end(reason)

    async def _take(self, message: list[Any]) -> None:
        if reason := farewell(message):
            raise reason
        if message[0] == NOTIFICATION:
            if message[1] == "event":
                await self._events.put(message[2][0])  # waits when full: then the engine sees a slow reader
            return
        if message[1] is None:
            raise Disconnected(str(failure(message[2])), "bad_frame")
        answer = self._pending.get(message[1])
        if answer is not None and not answer.done():
            if message[2] is None:
                answer.set_result(message[3])
            else:
                answer.set_exception(failure(message[2]))

    def _end(self, reason: Disconnected) -> None:
        self._over = reason
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(reason)
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(None)
