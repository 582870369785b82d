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
from santral.sip.errors import Malformed
from santral.sip.events import Acknowledged, Action, Cancelled, Ended, Event, Hop, IncomingInvite, Rejected, Send
from santral.sip.message import Request, Response, make_response, parse_message, serialise
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


class Pair:
    """A caller and a callee in the state a test begins in."""

    def __init__(self, network: Network, **settings: Any) -> None:
        self.network = network
        self.a = network.node("alice", **settings)
        self.b = network.node("bob", **settings)
        self.caller: Any = None
        self.callee: Any = None

    def invite(self, **more: Any) -> None:
        self.caller = self.a.call(self.b, **more)
        self.network.run(0.05)
        self.callee = self.b.got(IncomingInvite)[-1].session

    def establish(self, sdp: bytes = b"v=0\r\n") -> "Pair":
        self.invite()
        self.b.do(self.callee.answer(self.network.now, body=sdp))
        self.network.run(0.05)
        assert (self.caller.state, self.callee.state) == ("confirmed", "confirmed")
        self.network.sent.clear()
        return self

    @property
    def now(self) -> float:
        return self.network.now

    def terminals(self) -> tuple[list[str], list[str]]:
        """The terminal events of both sides, by their cause."""
        ends = (Rejected, Cancelled, Ended)
        a, b = ([e for e in node.events if isinstance(e, ends)] for node in (self.a, self.b))
        return [getattr(e, "cause", "cancelled") for e in a], [getattr(e, "cause", "cancelled") for e in b]

    def assert_over(self, caller: str, callee: str) -> None:
        """One terminal event on each side, and nothing left behind."""
        self.network.assert_quiet()
        assert self.terminals() == ([caller], [callee])
        assert self.network.nodes[5060].agent.counters["malformed"] == 0


class Peer:
    """A peer of plain text and the agent it talks to."""

    hop = Hop("udp", "192.0.2.9", 5099, "lan")

    def __init__(self, *, more: tuple[str, ...] = (), **settings: Any) -> None:
        sent_by = {
            ("lan", "udp"): "192.0.2.1:5060",
            ("lan", "tcp"): "192.0.2.1:5060",
            ("six", "udp"): "[2001:db8::1]:5060",
        }
        self.agent = UserAgent(
            AgentSettings(sent_by=sent_by, allow=(*METHODS, *more), **settings),
            random.Random(7).randbytes,
        )
        self.now = 0.0
        self.sent: list[tuple[Hop, Request | Response]] = []
        self.raw: list[bytes] = []
        self.events: list[Any] = []

    def take(self, actions: list[Any]) -> list[str]:
        """Note everything; the names of what was sent."""
        names = []
        for action in actions:
            if isinstance(action, Send):
                try:
                    message = parse_message(action.data)
                except Malformed:  # our answer repeats what was wrong with the request
                    message = Response(int(action.data.split(b" ")[1]), "")
                self.raw.append(action.data)
                self.sent.append((action.hop, message))
                names.append(message.method if isinstance(message, Request) else f"{message.status}")
            else:
                self.events.append(action)
        return names

    def say(self, text: str, *, source: Hop = hop) -> list[str]:
        """One datagram; what was sent back."""
        return self.take(self.agent.receive(text.encode(), source, self.now))

    def request(self, method: str, *, source: Hop = hop, cseq: int = 1, branch: str = "", **changes: str) -> list[str]:
        """A sound request, but for `changes` (header names with "_", empty: left out)."""
        return self.say(self.text_of(method, cseq, branch or f"z9hG4bK{method}{cseq}", **changes), source=source)

    def tick(self, seconds: float) -> list[str]:
        self.now += seconds
        return self.take(self.agent.tick(self.now))

    @property
    def last(self) -> Any:
        """The last message sent."""
        return self.sent[-1][1]

    @property
    def session(self) -> Any:
        return next(event.session for event in self.events if isinstance(event, IncomingInvite))

    def established(self, **changes: str) -> Any:
        """An answered, acknowledged session, we being called."""
        self.request("INVITE", **changes)
        self.take(self.session.answer(self.now, body=b"v=0\r\n"))
        tag = self.session.local_tag
        assert self.request("ACK", To=f"<sip:us@192.0.2.1>;tag={tag}", branch="z9hG4bKack") == []
        assert isinstance(self.events[-1], Acknowledged)
        return self.session

    def inside(self, method: str, cseq: int, **changes: str) -> list[str]:
        """A request in the established dialog."""
        return self.request(method, cseq=cseq, To=f"<sip:us@192.0.2.1>;tag={self.session.local_tag}", **changes)

    def answer(self, status: int, **more: str) -> list[str]:
        """Answer the last INVITE sent, or the last other request."""
        requests = [message for _, message in self.sent if isinstance(message, Request) and message.method != "ACK"]
        request = next((message for message in reversed(requests) if message.method == "INVITE"), requests[-1])
        response = make_response(request, status, to_tag=more.pop("tag", "theirs"))
        for name, value in more.items():
            response.headers.add(name.replace("_", "-"), value)
        return self.take(self.agent.receive(serialise(response), self.hop, self.now))

    @staticmethod
    def text_of(method: str, cseq: int, branch: str, **changes: str) -> str:
        """A request as `request` sends it."""
        body = changes.pop("body", "")
        uri = changes.pop("uri", "sip:us@192.0.2.1")
        headers = {
            "Via": f"SIP/2.0/UDP 192.0.2.9:5099;branch={branch};rport",
            "From": "<sip:peer@example.com>;tag=their",
            "To": "<sip:us@192.0.2.1>",
            "Call-ID": "call-1",
            "CSeq": f"{cseq} {method}",
            "Max-Forwards": "70",
            "Contact": "<sip:peer@192.0.2.9:5099>",
            "Content-Type": "application/sdp" if body else "",
            **{name.replace("_", "-"): value for name, value in changes.items()},
            "Content-Length": str(len(body)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
        return f"{method} {uri} SIP/2.0\r\n{lines}\r\n{body}"


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


@pytest.fixture
def pair(network: Network) -> Pair:
    """A caller and a callee on a network in fair weather."""
    return Pair(network)


@pytest.fixture
def make_pair(network: Network) -> Callable[..., Pair]:
    """For a pair with these methods and options besides the plain ones."""

    def make(*methods: str, supported: tuple[str, ...] = (), **settings: Any) -> Pair:
        return Pair(network, allow=(*METHODS, *methods), supported=supported, **settings)

    return make


@pytest.fixture
def peer() -> Peer:
    """A peer of plain text."""
    return Peer()


@pytest.fixture
def make_peer() -> Callable[..., Peer]:
    """For agents with settings of their own."""
    return Peer
