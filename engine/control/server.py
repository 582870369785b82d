"""The control server: a Unix socket, and optionally TCP with tokens. Lives on the engine's loop."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from santral.engine import log
from santral.engine.control import sockets
from santral.engine.control.access import LOCAL, Identity, Token, identify
from santral.engine.control.answers import Answers
from santral.engine.control.connection import Connection, Patience
from santral.engine.control.protocol import RequestError
from santral.engine.control.view import EngineView
from santral.engine.limits import Throttle

__all__ = ["ControlServer", "ControlSettings", "Patience", "Token"]

MAX_CONNECTIONS: Final = 128
MAX_STRANGERS: Final = 16  # TCP connections that have not logged in
REFUSED_LOGIN_S: Final = 1.0  # a wrong secret waits this long for its answer
REPORTS_PER_S: Final = 0.2  # security.refused events per source


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where to listen and whom to admit."""

    socket: Path | None
    tcp: tuple[str, int] | None = None
    tokens: Sequence[Token] = ()
    tls: ssl.SSLContext | None = None
    patience: Patience = field(default_factory=Patience)


class ControlServer:
    """Answers control clients."""

    def __init__(self, engine: EngineView, settings: ControlSettings) -> None:
        self.engine: Final = engine
        self.answers: Final = Answers()
        self.patience: Final = settings.patience
        self.counters: Final = dict.fromkeys(("connections", "requests", "errors", "slow_readers", "refused"), 0)
        self._settings = settings
        self._tokens: tuple[Token, ...] = tuple(settings.tokens)
        self._servers: list[asyncio.Server] = []
        self._addresses: list[str] = []
        self._inode = -1
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._reports = Throttle(REPORTS_PER_S)
        self._log = log.get("control")

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as `unix:/path` and `tcp:host:port`."""
        return list(self._addresses)

    @property
    def connected(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen; OSError or ValueError with a clear text when that is impossible."""
        try:
            if self._settings.socket is not None:
                await self._listen_unix(self._settings.socket)
            if self._settings.tcp is not None:
                await self._listen_tcp(*self._settings.tcp)
        except BaseException:
            await self.close()
            raise

    def set_tokens(self, tokens: Sequence[Token]) -> None:
        """Take the tokens of a new configuration; connections of tokens that are gone or changed are closed."""
        changed = {each.name for each in self._tokens} - {each.name for each in tokens if each in self._tokens}
        self._tokens = tuple(tokens)
        for connection in list(self._connections):
            if connection.who and connection.who is not LOCAL and connection.who.name in changed:
                connection.dismiss("token_changed", "this token was changed or removed")

    async def close(self) -> None:
        """Stop listening, let every client read what it was sent, and close."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.dismiss("stopping", "the engine stops")
        if self._connections:
            await asyncio.wait(self._connections.values(), timeout=self.patience.closing_s + 1.0)
        for task in self._connections.values():
            task.cancel()
        if self._settings.socket is not None and self._inode >= 0:
            sockets.remove_own(self._settings.socket, self._inode)
        self._servers.clear()
        self._addresses.clear()

    async def login(self, connection: Connection, name: str, secret: str) -> Identity:
        """Find out who a client is; a wrong answer is slow, counted, and told to the operator."""
        who = identify(self._tokens, name, secret)
        if who is None:
            self.counters["refused"] += 1
            self._report(connection.peer)
            await asyncio.sleep(REFUSED_LOGIN_S)
            raise RequestError("refused", "no token of that name and secret")
        return who

    async def _listen_unix(self, path: Path) -> None:
        listener = sockets.open_unix(path)
        self._inode = sockets.inode(path)
        if not sockets.is_private(path.parent):
            self._log.warning(
                "others may look into the control socket's folder", folder=str(path.parent), mend="chmod 700"
            )
        self._servers.append(await asyncio.start_unix_server(self._serve_local, sock=listener, backlog=sockets.BACKLOG))
        self._addresses.append(f"unix:{path}")

    async def _listen_tcp(self, host: str, port: int) -> None:
        if not self._tokens:
            raise ValueError("control over TCP needs at least one [[control.token]]")
        if self._settings.tls is None and not sockets.is_loopback(host):
            raise ValueError(f"control over TCP on {host} needs TLS; without it only loopback is allowed")
        tls = self._settings.tls
        server = await asyncio.start_server(
            self._serve_stranger,
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=self.patience.login_s if tls else None,
            backlog=sockets.BACKLOG,
        )
        self._servers.append(server)
        for each in server.sockets:
            address = each.getsockname()
            shown = f"[{address[0]}]" if ":" in address[0] else address[0]
            self._addresses.append(f"tcp:{shown}:{address[1]}")

    async def _serve_local(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(Connection(self, reader, writer, LOCAL, "local"))

    async def _serve_stranger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        await self._serve(Connection(self, reader, writer, None, str(peer[0]) if peer else "gone"))

    async def _serve(self, connection: Connection) -> None:
        task = asyncio.current_task()
        strangers = sum(1 for each in self._connections if each.who is None)
        if (
            task is None
            or len(self._connections) >= MAX_CONNECTIONS
            or (connection.who is None and strangers >= MAX_STRANGERS)
        ):
            await connection.turn_away("busy", "too many connections")
            return
        self._connections[connection] = task
        self.counters["connections"] += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await connection.run()
        except Exception:
            self._log.exception("a control connection failed", peer=connection.peer)
        finally:
            del self._connections[connection]

    def _report(self, source: str) -> None:
        held_back = self._reports.allow(source, time.monotonic())
        if held_back is not None:
            self._log.warning("control login refused", source=source, held_back=held_back)
            self.engine.events.emit("security.refused", what="control.login", source=source, held_back=held_back)
