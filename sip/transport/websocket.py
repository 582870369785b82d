"""SIP over web sockets, as their server (RFC 7118): one message per frame, sub-protocol "sip". aiohttp speaks HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from santral.sip.message import MAX_MESSAGE
from santral.sip.transport.doorway import HANDSHAKE_S, Doorway
from santral.sip.transport.tls import names_of
from santral.sip.transport.wire import Listener, Upward

if TYPE_CHECKING:
    from santral.sip.events import Hop
    from santral.sip.transport.tls import Keyring

__all__ = ["WebPort"]

SUB_PROTOCOL: Final = "sip"
MAX_UNSENT: Final = 2**20  # octets that wait for a peer that does not read
PING_S: Final = 30.0  # RFC 6455 section 5.5.2; no answer in half of it and the flow is gone
CLOSING_S: Final = 2.0
LINE_END: Final = b"\r\n"
MAX_LINE: Final = 4096  # octets of the request line and of each header of the upgrade
MAX_HEADERS: Final = 64


class _Opening(web.RequestHandler):
    """HTTP on one connection. Its end gives the place in the crowd back, however far the upgrade came."""

    __slots__ = ("_port", "hop")

    def __init__(self, port: WebPort, hop: Hop) -> None:
        super().__init__(
            port.server,
            loop=port.upward.loop,
            access_log=None,  # type: ignore[arg-type] # None is aiohttp's way to say: no log
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
            lingering_time=0.0,
        )
        self.hop = hop
        self._port = port

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._port.forget(self.hop)


class WebFlow:
    """One web socket. Frames go out in order, one task writes them."""

    def __init__(self, hop: Hop, answer: web.WebSocketResponse, upward: Upward) -> None:
        self.hop = hop
        self._answer = answer
        self._upward = upward
        self._waiting: deque[bytes] = deque()
        self._unsent = 0
        self._wake = asyncio.Event()
        self._is_overflowing = False

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent over it."""
        return self._answer.closed or self._is_overflowing

    def send(self, data: bytes) -> None:
        """Put a message in the queue; a peer that lets it grow too long is cut off."""
        if self._unsent + len(data) > MAX_UNSENT:
            self._upward.counters["streams_overflowed"] += 1
            self._is_overflowing = True
        else:
            self._waiting.append(data)
            self._unsent += len(data)
        self._wake.set()

    async def write(self) -> None:
        """Send what is queued, until the flow ends."""
        with suppress(ConnectionError, ClientConnectionResetError):
            while not self.is_closing:
                while self._waiting and not self._is_overflowing:
                    data = self._waiting.popleft()
                    self._unsent -= len(data)
                    await self._send_frame(data)
                self._wake.clear()
                if not self._waiting and not self._is_overflowing:
                    await self._wake.wait()
        if self._is_overflowing:
            self._upward.fail(self.hop)
            await self._answer.close(code=WSCloseCode.TRY_AGAIN_LATER)

    async def _send_frame(self, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            await self._answer.send_bytes(data)
        else:
            await self._answer.send_str(text)

    async def read(self) -> None:
        """Hand up what comes, one message per frame, until the peer leaves."""
        async for message in self._answer:
            data: bytes
            match message.type:
                case WSMsgType.TEXT:
                    data = message.data.encode(errors="surrogateescape")
                case WSMsgType.BINARY:
                    data = message.data
                case _:
                    return
            if data == LINE_END * 2:  # some phones ping as over TCP (RFC 5626 section 4.4.1)
                self.send(LINE_END)
            elif data.strip():
                self._upward.on_bytes(data, self.hop)


class WebPort:
    """One listening socket of one interface, "ws" or "wss". Nothing is ever opened from here."""

    def __init__(self, listener: Listener, upward: Upward, keyring: Keyring) -> None:
        self.upward = upward
        self.server = web.Server(self._upgrade, loop=upward.loop)
        self._listener = listener
        self._keyring = keyring
        self._is_secure = listener.transport == "wss"
        self._doorway = Doorway(listener, upward, self._welcome)
        self._flows: dict[int, WebFlow] = {}

    def __len__(self) -> int:
        return len(self._flows)

    async def open(self) -> tuple[str, int]:
        """Listen; returns the real address. Raises OSError."""
        return self._doorway.open()

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        await self._doorway.close()
        await self.server.shutdown(CLOSING_S)
        self._flows.clear()

    def has_flow(self, hop: Hop) -> bool:
        """Whether the connection this came by still stands."""
        flow = self._flows.get(hop.flow)
        return flow is not None and not flow.is_closing

    def send(self, hop: Hop, data: bytes) -> None:
        """Send over the web socket of that flow; without one there is no way (RFC 7118 section 5)."""
        flow = self._flows.get(hop.flow)
        if flow is None or flow.is_closing:
            self.upward.fail(hop)
        else:
            flow.send(data)

    def forget(self, hop: Hop) -> None:
        """The connection is gone."""
        self.upward.crowd.leave(hop.host)
        flow = self._flows.pop(hop.flow, None)
        if flow is not None:
            self.upward.on_closed(flow.hop)

    async def _welcome(self, sock: socket.socket, hop: Hop) -> None:
        """Part of `Doorway`: TLS if need be; the upgrade has its own time-out."""
        loop, opening = self.upward.loop, _Opening(self, hop)
        try:
            context = self._keyring.server(self._listener.interface) if self._is_secure else None
            if self._is_secure and context is None:
                raise OSError("no certificate")
            async with asyncio.timeout(HANDSHAKE_S):
                transport, _ = await loop.connect_accepted_socket(lambda: opening, sock, ssl=context)
        except (OSError, TimeoutError, asyncio.CancelledError):
            self.forget(hop)
            raise
        loop.call_later(HANDSHAKE_S, self._give_up, hop, transport)

    def _give_up(self, hop: Hop, transport: asyncio.BaseTransport) -> None:
        if hop.flow not in self._flows and not transport.is_closing():
            self.upward.counters["handshakes_failed"] += 1
            transport.abort()  # type: ignore[attr-defined] # every stream transport can

    async def _upgrade(self, request: web.BaseRequest) -> web.StreamResponse:
        """Part of aiohttp's server: one HTTP request. Anything but our upgrade is refused in a word."""
        opening: Any = request.protocol
        answer = web.WebSocketResponse(
            protocols=(SUB_PROTOCOL,), max_msg_size=MAX_MESSAGE, compress=False, heartbeat=PING_S, timeout=CLOSING_S
        )
        offered = answer.can_prepare(request)
        if not offered.ok:
            return web.Response(status=426, headers={"Upgrade": "websocket", "Connection": "close"})
        if offered.protocol != SUB_PROTOCOL:
            return web.Response(
                status=400, text="the sub-protocol is sip (RFC 7118)\n", headers={"Connection": "close"}
            )
        await answer.prepare(request)
        certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
        hop = opening.hop._replace(verified=tuple(name for name in names_of(certificate) if "*" not in name))
        flow = self._flows[hop.flow] = WebFlow(hop, answer, self.upward)
        writing = self.upward.loop.create_task(flow.write())
        try:
            await flow.read()
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
        return answer
