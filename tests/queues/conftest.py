"""An engine with queues, a trunk on which callers come, and agents with phones of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.calls.conftest import Peer, make_peer, sounds, start, streams, talkers  # noqa: F401 - fixtures

from santral.engine.control.client import Client

Start = Callable[..., Awaitable[Any]]

CONFIG = """
[engine]
node = "test"
data_dir = "{folder}/data"
[sip]
listen = ["udp:127.0.0.1:0"]
dial_networks = ["127.0.0.0/8"]
[rtp]
ports = "0"
[[tenant]]
name = "acme"
domain = "acme.example"
sounds = "{folder}/sounds"
[[trunk]]
name = "carrier"
tenant = "acme"
targets = ["sip:127.0.0.1:{left}"]
accept_from = ["127.0.0.1/32:{left}"]
codecs = ["pcmu"]
[[queue]]
name = "support"
tenant = "acme"
ring_timeout = {ring_timeout}
retry_delay = {retry_delay}
wrap_up = {wrap_up}
{queue}
{agents}
[[route]]
name = "in"
from_trunk = "carrier"
called = "100"
destinations = [{{ queue = "support"{timeout} }}, {{ reject = 486 }}]
{more}
"""
DEFAULTS: dict[str, Any] = {
    "ring_timeout": 5, "retry_delay": 0, "wrap_up": 0, "queue": "", "timeout": "", "more": "", "agents": "",
}  # fmt: skip
AGENT = """
[[agent]]
name = "{name}"
tenant = "acme"
endpoint = "sip:{name}@127.0.0.2:{port}"
queues = ["support"]
logged_in = true
{keys}
"""


@pytest.fixture
async def begin(start: Start, make_peer: Callable[[str, str], Peer], tmp_path: Path) -> Start:  # noqa: F811
    """An engine with these agents, each with a phone on 127.0.0.2: the bench and the phones by name."""

    async def run(*names: str, keys: str = "", **changes: Any) -> tuple[Any, dict[str, Peer]]:
        (tmp_path / "sounds").mkdir(exist_ok=True)
        phones = {name: make_peer(name, "127.0.0.2") for name in names}
        agents = "".join(AGENT.format(name=name, port=phone.port, keys=keys) for name, phone in phones.items())
        bench = await start(config=CONFIG, **{**DEFAULTS, "agents": agents, **changes})
        for phone in phones.values():
            phone.engine = bench.left.engine
        return bench, phones

    return run


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[[Any], Awaitable[Client]]]:
    made: list[Client] = []

    async def connect(bench: Any) -> Client:
        made.append(await Client.unix(str(bench.folder / "data" / "control.sock")))
        return made[-1]

    yield connect
    for one in made:
        await one.close()


def told(bench: Any, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in bench.events() if event["type"] in kinds]


async def until(holds: Callable[[], Any], within: float = 12) -> None:
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - the engine tells nobody but its peers
            await asyncio.sleep(0.01)
