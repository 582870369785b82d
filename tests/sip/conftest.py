"""Two user agents back to back over a scripted network with a clock of its own: loss, order, duplicates, no sleep."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

import pytest
import uvloop

from santral.sip.agent import AgentSettings, UserAgent
from santral.sip.events import Action, Event, Hop, Send
from santral.sip.message import Request, Response, parse_message
from santral.sip.session import Session
from santral.sip.uri import NameAddr, Uri

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], Any]]:
    """Sockets are tested on both loops, nothing else here needs one."""
    return LOOPS if "test_transport" in item.nodeid else {"uvloop": uvloop.new_event_loop}


@dataclass
class Weather:
    """What happens to a datagram: chances of loss and of a duplicate, delay in seconds with its spread."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.005
    spread: float = 0.0


class Node:
    """One user agent on the network, what it has told its owner, and an owner that may react."""

    def __init__(self, network: "Network", name: str, port: int, settings: Mapping[str, Any]) -> None:
        self.network = network
        self.name = name
        self.hop = Hop("udp", "192.0.2.1", port, "lan")
        sent_by = {("lan", "udp"): f"192.0.2.1:{port}", ("lan", "tcp"): f"192.0.2.1:{port}"}
        made = AgentSettings(**{"sent_by": sent_by, "allow": METHODS, **settings})
        self.agent = UserAgent(made, random.Random(f"{network.seed}{name}").randbytes)
        self.events: list[Event] = []
        self.react: Callable[[Event], None] = lambda _: None

    def do(self, actions: list[Action]) -> None:
        """Send what is to be sent, note the rest."""
        for action in actions:
            if isinstance(action, Send):
                self.network.carry(self, action)
            else:
                self.events.append(action)
                self.react(action)

    def got(self, kind: type) -> list[Any]:
        """The events of one kind, in order."""
        return [event for event in self.events if type(event) is kind]

    def kinds(self) -> list[str]:
        """The names of all events, in order, 100 Trying left out."""
        return [
            type(event).__name__
            for event in self.events
            if getattr(getattr(event, "response", None), "status", 0) != 100
        ]

    def call(self, other: "Node", body: bytes = SDP, **more: Any) -> Session:
        """Invite the other node."""
        session, actions = self.agent.invite(
            hop=other.hop,
            uri=Uri.parse(f"sip:{other.name}@192.0.2.1:{other.hop.port}"),
            from_=NameAddr.parse(f"<sip:{self.name}@example.com>"),
            to=NameAddr.parse(f"<sip:{other.name}@example.com>"),
            body=body,
            now=self.network.now,
            **more,
        )
        self.do(actions)
        return session


@dataclass
class Network:
    """Carries datagrams between nodes by their ports, in the order of a clock that only `run` moves."""

    seed: int = 1
    weather: Weather = field(default_factory=Weather)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.nodes: dict[int, Node] = {}
        self.sent: list[tuple[float, Node, Request | Response]] = []
        self.keeps_record = True
        self.filter: Callable[[Node, Request | Response], bool] = lambda _node, _message: True
        self.tamper: Callable[[bytes], bytes] = bytes
        self._flying: list[tuple[float, int, int, bytes, Hop]] = []
        self._script: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def node(self, name: str, **settings: Any) -> Node:
        """A new node, at the next free port."""
        port = 5060 + 10 * len(self.nodes)
        self.nodes[port] = made = Node(self, name, port, settings)
        return made

    def carry(self, sender: Node, send: Send) -> None:
        """Let the weather decide over one datagram."""
        if self.keeps_record:
            message = parse_message(send.data)
            self.sent.append((self.now, sender, message))
            if not self.filter(sender, message):
                return
        for _ in range(1 + (self.random.random() < self.weather.duplicate)):
            if self.random.random() >= self.weather.loss:
                delay = self.weather.delay + self.random.random() * self.weather.spread
                data = self.tamper(send.data)
                heappush(self._flying, (self.now + delay, next(self._order), send.hop.port, data, sender.hop))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Let an owner do something when the clock gets there."""
        heappush(self._script, (self.now + seconds, next(self._order), act))

    def deliver(self, data: bytes, to: Node, source: Hop) -> None:
        """Put a datagram of the test's own into a node."""
        to.do(to.agent.receive(data, source, self.now))

    def run(self, seconds: float = 0.1) -> None:
        """Move the clock, and everything that is due with it."""
        end = self.now + seconds
        while (at := self._next()) is not None and at <= end:
            self.now = max(self.now, at)
            while self._flying and self._flying[0][0] <= self.now:
                _, _, port, data, source = heappop(self._flying)
                if port in self.nodes:
                    self.deliver(data, self.nodes[port], source)
            while self._script and self._script[0][0] <= self.now:
                heappop(self._script)[2]()
            for node in self.nodes.values():
                deadline = node.agent.next_deadline()
                if deadline is not None and deadline <= self.now:
                    node.do(node.agent.tick(self.now))
        self.now = end

    def _next(self) -> float | None:
        deadlines = [node.agent.next_deadline() for node in self.nodes.values()]
        times = [at for at in deadlines if at is not None]
        times += [heap[0][0] for heap in (self._flying, self._script) if heap]
        return min(times, default=None)

    def wire(self, sender: Node | None = None) -> list[str]:
        """What went over the wire, as "INVITE" and "200 INVITE"."""
        return [
            message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"
            for _, node, message in self.sent
            if sender is None or node is sender
        ]

    def messages(self, what: str, sender: Node | None = None) -> list[Any]:
        """The messages that `wire` calls by this name."""
        return [
            message
            for _, node, message in self.sent
            if (sender is None or node is sender)
            and (message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}") == what
        ]

    def assert_quiet(self) -> None:
        """After the longest timer everything is back to nothing."""
        self.run(200)
        for node in self.nodes.values():
            assert set(node.agent.counts.values()) == {0}, (node.name, node.agent.counts)


@pytest.fixture
def network() -> Network:
    """A network in fair weather."""
    return Network()


@pytest.fixture
def make_network() -> Callable[..., Network]:
    """For networks with another seed or weather."""

    def make(seed: int = 1, **weather: float) -> Network:
        return Network(seed, Weather(**weather))

    return make


@pytest.fixture
def sdp() -> bytes:
    """A small session description."""
    return SDP
