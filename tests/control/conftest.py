"""A small engine for the control server to talk to, and servers on private sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from santral.engine.cdr.store import CdrStore
from santral.engine.control.client import Client
from santral.engine.control.protocol import RequestError
from santral.engine.control.server import ControlServer, ControlSettings, Patience, Token
from santral.engine.events import EventLog

TOKENS = (
    Token("dashboard", "see", frozenset({"read", "events"}), "acme"),
    Token("dialer", "dial", frozenset({"read", "calls"}), "acme"),
    Token("root", "all", frozenset({"admin"})),
)


@dataclass
class FakeCall:
    id: str
    tenant: str
    verbs: Any = None
    hung_up: list[tuple[int | None, str]] = field(default_factory=list)

    def snapshot(self) -> dict[str, Any]:
        return {"id": self.id, "tenant": self.tenant, "state": "talking"}

    def hang_up(self, status: int | None, by: str) -> None:
        self.hung_up.append((status, by))


class FakeEngine:
    def __init__(self, events: EventLog, cdrs: CdrStore) -> None:
        self.events = events
        self.cdrs = cdrs
        self.live: dict[str, FakeCall] = {}
        self.reloads = 0
        self.drained = 0
        self.problems: list[str] = []

    def add(self, identifier: str, tenant: str = "acme") -> FakeCall:
        call = self.live[identifier] = FakeCall(identifier, tenant)
        return call

    def status(self) -> dict[str, Any]:
        return {"node": "n1", "calls": len(self.live)}

    def calls(self) -> list[FakeCall]:
        return list(self.live.values())

    def call(self, identifier: str) -> FakeCall | None:
        return self.live.get(identifier)

    def ladder(self, _call: str) -> None:
        return None

    conferences: Any = ()

    async def open_conference(self, tenant: str, name: str) -> dict[str, Any]:
        return {"tenant": tenant, "name": name}

    def trunks(self) -> list[dict[str, Any]]:
        return [
            {"name": "b", "tenant": "other", "shared": False},
            {"name": "a", "tenant": "acme", "shared": False},
            {"name": "c", "tenant": "other", "shared": True},
        ]

    def users(self) -> list[dict[str, Any]]:
        return [
            {"name": "101", "tenant": "acme", "address": "101@acme.example"},
            {"name": "101", "tenant": "other", "address": "101@other.example"},
        ]

    def bans(self) -> list[dict[str, Any]]:
        return [{"address": "192.0.2.66", "seconds_left": 60.0, "bans": 1}]

    def forgive(self, address: str) -> bool:
        return address == "192.0.2.66"

    async def reload(self) -> list[str]:
        await asyncio.sleep(0.01)
        if self.problems:
            raise RequestError("invalid_configuration", "2 problems", self.problems)
        self.reloads += 1
        return [f"reload {self.reloads}"]

    def drain(self) -> None:
        self.drained += 1

    async def doctor(self) -> list[dict[str, Any]]:
        return [{"check": "descriptors", "ok": True}]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the loop that the engine runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def cdrs(tmp_path: Path) -> AsyncIterator[CdrStore]:
    store = CdrStore(f"sqlite:///{tmp_path}/cdr.db", node="n1")
    await store.start()
    yield store
    await store.close()


@pytest.fixture
def engine(cdrs: CdrStore) -> FakeEngine:
    return FakeEngine(EventLog("n1"), cdrs)


@pytest.fixture
def patience() -> Patience:
    return Patience(login_s=0.3, reading_s=0.3, closing_s=0.5, unsent_bytes=4096, coalesce_s=0.001)


@pytest.fixture
async def server(engine: FakeEngine, tmp_path: Path, patience: Patience) -> AsyncIterator[ControlServer]:
    settings = ControlSettings(tmp_path / "run" / "control.sock", ("127.0.0.1", 0), TOKENS, patience=patience)
    server = ControlServer(engine, settings)
    await server.start()
    yield server
    await server.close()
    assert server.connected == 0


@pytest.fixture
def socket_path(server: ControlServer) -> str:
    return server.addresses[0].removeprefix("unix:")


@pytest.fixture
def tcp(server: ControlServer) -> tuple[str, int]:
    host, port = server.addresses[1].removeprefix("tcp:").rsplit(":", 1)
    return host, int(port)


@pytest.fixture
async def client(socket_path: str) -> AsyncIterator[Client]:
    client = await Client.unix(socket_path)
    yield client
    await client.close()
