"""An engine with queues, a trunk on which callers come, and agents with phones of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.calls.conftest import Peer, make_peer, sounds, start, streams, talkers  # noqa: F401 - fixtures
from tests.calls.test_users import invite, register

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


PEOPLE = """
[[user]]
name = "101"
tenant = "acme"
password = "secret101"
{user}
[[user]]
name = "102"
tenant = "acme"
password = "secret102"
[[user]]
name = "103"
tenant = "acme"
password = "secret103"
[[agent]]
name = "ayse"
tenant = "acme"
endpoint = "user:101"
queues = ["support"]
logged_in = {logged_in}
{agent}
[[route]]
name = "code"
tenant = "acme"
called = "[*]5"
destinations = [{{ agent = "stay" }}]
[[route]]
name = "inside"
tenant = "acme"
called = "10[0-9]"
destinations = [{{ user = "{{called}}" }}]
[[route]]
name = "out"
tenant = "acme"
called = "2\\\\d+"
destinations = [{{ trunk = "carrier" }}]
"""


TRIES = 10  # at hearing what is to be heard: a busy machine stands still at times


@dataclass
class Phone:
    """A registered phone, and what is spoken into it."""

    peer: Peer
    talker: Any
    tone: float
    dialog: Any = None

    @property
    def sdp(self) -> str:
        return self.described()

    def described(self, direction: str = "sendrecv", version: int = 1) -> str:
        """Its audio, where talkers are."""
        return self.peer.sdp(self.talker.port, "0 101", f"a={direction}", version).replace("127.0.0.2", "127.0.0.1")

    async def pick_up(self) -> Any:
        """It rings, and is answered; the dialog. The last report of a transfer may come before."""
        while (invite := await self.peer.expect("INVITE", "NOTIFY")).method == "NOTIFY":
            await self.peer.answer(invite, 200)
        self.talker.talk(invite.media_port, self.tone)
        await self.peer.answer(invite, 200, self.sdp)
        await self.peer.expect("ACK")
        self.dialog = self.peer.dialog_of(invite)
        return self.dialog

    async def call(self, called: str, user: str) -> Any:
        """It calls, and is answered; the dialog."""
        dialog = await invite(self.peer, called, user, f"secret{user}", sdp=self.sdp)
        await self.connected(dialog)
        return dialog

    async def connected(self, dialog: Any) -> None:
        answer = await self.peer.expect(200)
        await dialog.ack(answer)
        self.talker.talk(answer.media_port, self.tone)

    async def change(self, direction: str, version: int) -> None:
        """A re-INVITE of its own, answered."""
        await self.dialog.request("INVITE", self.described(direction, version))
        await self.dialog.ack(await self.peer.expect(200))

    async def is_hung_up(self, *dialogs: Any) -> None:
        """BYE in the dialog it was picked up in, or in all of these; reports of transfers are answered meanwhile."""
        wanted = {one.call_id for one in dialogs or (self.dialog,)}
        while wanted:
            message = await self.peer.expect("BYE", "NOTIFY")
            await self.peer.answer(message, 200)
            if message.method == "BYE":
                wanted.remove(message.get("Call-ID"))

    async def hears(self, *tones: float, seconds: float = 0.4) -> tuple[bool, ...] | None:
        """Whether it hears each of these from now on; None when it hears too little to tell."""
        self.talker.heard()
        await asyncio.sleep(seconds)
        line = self.talker.heard()
        if len(line) < 0.5 * seconds * self.talker.rate:
            return None
        return tuple(self.talker.level(line, hz) > 2000 for hz in tones)


@dataclass
class Staff:
    """An engine, a caller from outside, and the phones of an agent, a colleague and a supervisor."""

    bench: Any
    client: Client
    customer: Phone
    agent: Phone
    colleague: Phone
    boss: Phone
    second: Phone  # the agent's phone again: another line of it

    @property
    def tones(self) -> tuple[float, ...]:
        return tuple(one.tone for one in (self.customer, self.agent, self.colleague, self.boss))

    async def hear(self, wanted: list[tuple[bool, ...]], *phones: Phone, also: tuple[float, ...] = ()) -> None:
        """It comes to this soon, for each of these phones: customer, agent, colleague, supervisor heard or not; and
        other tones.
        """
        tones, heard = (*self.tones, *also), list[tuple[bool, ...] | None]()
        for _ in range(TRIES):
            heard = list(await asyncio.gather(*(one.hears(*tones) for one in phones)))
            if heard == wanted:
                return
        assert heard == wanted

    async def caller_comes(self) -> None:
        """A caller, who waits."""
        dialog = self.customer.dialog = await self.bench.left.call("100", self.customer.sdp)
        await self.customer.connected(dialog)

    async def talk(self) -> None:
        """A caller, and the agent who answers."""
        await self.caller_comes()
        await self.agent.pick_up()
        await until(lambda: told(self.bench, "reservation.connected"))

    async def supervise(self, mode: str) -> str:
        """The supervisor is there; its call."""
        made = await self.client.call("agent.supervise", name="ayse", to="103", mode=mode)
        await self.boss.pick_up()
        await until(lambda: told(self.bench, "supervision.started"))
        return str(made["call"])

    async def calls_out(self) -> Any:
        """The colleague calls the customer; the colleague's dialog."""
        dialog = await invite(self.colleague.peer, "2001", "102", "secret102", sdp=self.colleague.sdp)
        await self.customer.pick_up()
        await self.colleague.connected(dialog)
        return dialog

    async def consult(self) -> Any:
        """The agent calls the colleague by its second line; the dialog."""
        second = self.second
        asked = await invite(second.peer, "102", "101", "secret101", sdp=second.sdp)
        await self.colleague.pick_up()
        await second.connected(asked)
        return asked

    def state(self) -> str:
        queues = self.bench.engine.queues
        return str(queues.distributor.agent("ayse", queues.now).state)

    def figures(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the queue and of the agent."""
        counting = self.bench.engine.queues.counting
        return counting.queue("support", None, None, None), counting.agent("ayse", None, None)

    async def records(self, count: int) -> dict[str, dict[str, Any]]:
        """So many records, by the number called or the reason for it."""
        async with asyncio.timeout(10):
            while True:
                await self.bench.engine.cdrs.flush()
                found = (await self.bench.engine.cdrs.page(20))["items"]
                if len(found) >= count and not list(self.bench.engine.calls()):
                    return {one["called"]: one for one in found}
                await asyncio.sleep(0.02)


@pytest.fixture
async def staff(
    begin: Start,
    make_peer: Callable[[str, str], Peer],  # noqa: F811
    talkers: Callable[[int], list[Any]],  # noqa: F811
    client_of: Callable[[Any], Awaitable[Client]],
) -> Callable[..., Awaitable[Staff]]:
    async def made(*, agent: str = "", user: str = "", more: str = "", **changes: Any) -> Staff:
        stays = "persistent" in agent
        people = PEOPLE.format(user=user, agent=agent, logged_in="false" if stays else "true")
        bench, _ = await begin(more=people + more, **changes)
        phones = []
        for n, (name, tone) in enumerate((("agent", 700.0), ("colleague", 1100.0), ("boss", 900.0))):
            peer = make_peer(name, "127.0.0.2")
            peer.engine = bench.left.engine
            await register(peer, f"10{n + 1}", f"secret10{n + 1}")
            phones.append(Phone(peer, talkers(1)[0], tone))
        customer = Phone(bench.left, talkers(1)[0], 500.0)
        second = Phone(phones[0].peer, talkers(1)[0], phones[0].tone)
        found = Staff(bench, await client_of(bench), customer, *phones, second)
        if stays:
            found.agent.dialog = await found.agent.call("*5", "101")
        await until(lambda: found.state() == "available")
        return found

    return made
