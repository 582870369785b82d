"""Two thousand calls through a running engine and a network that loses, repeats and reorders, on both sides of it.

The two sides are user agents of ours with an owner each; the network stands between them and the engine's transports.
It runs on the real clock, with T1 at a fifth, and decides by a fixed seed.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from santral.sip.agent import AgentSettings, UserAgent
from santral.sip.events import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    Hop,
    IncomingInvite,
    Pracked,
    Progress,
    Refused,
    ReinviteAnswered,
    Reinvited,
    ReinviteDue,
    ReinviteRejected,
    Rejected,
    Send,
    Stray,
)
from santral.sip.message import make_response
from santral.sip.session import Session
from santral.sip.ua.deadlines import Timers
from santral.sip.uri import NameAddr, Uri

Start = Callable[..., Awaitable[Any]]

CALLS: Final = 2000
EACH_S: Final = 0.005  # between two calls
AT_ONCE: Final = 300  # so many calls under way; a busy machine takes longer instead of being late with everything
LOST, DOUBLED = 0.1, 0.1  # chances of a datagram
DELAY_S, SPREAD_S = 0.002, 0.03  # on its way: order is lost within the spread
TIMERS: Final = Timers(t1=0.1, t2=0.4, t4=0.2, d=3.2)  # 64*T1: 6.4 s
PATIENCE_S: Final = 180  # it takes 25 s on a machine that has nothing else to do
METHODS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE")

# What is to come of each plan: how it ends for the caller and for the callee, and the cause in its record.
PLANS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "caller hangs up": ({"local"}, {"bye"}, {"normal"}),
    "callee hangs up": ({"bye"}, {"local"}, {"normal"}),
    "both hang up": ({"local", "bye"}, {"local", "bye"}, {"normal"}),
    "cancelled": ({"cancelled"}, {"cancelled"}, {"cancelled"}),
    "cancel crosses": ({"cancelled"}, {"cancelled", "bye"}, {"cancelled", "normal"}),
    "refused": ({"response"}, {"local"}, {"busy"}),
    "held": ({"local"}, {"bye"}, {"normal"}),
    "held by the callee": ({"local"}, {"bye"}, {"normal"}),
    "updated": ({"local"}, {"bye"}, {"normal"}),
    "reliable": ({"local"}, {"bye"}, {"normal"}),
    "reliable refused": ({"response"}, {"local"}, {"busy"}),
    "late offer": ({"local"}, {"bye"}, {"normal"}),
}


def sdp(port: int, version: int = 1, direction: str = "sendrecv") -> bytes:
    return (
        f"v=0\r\no=x 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
    ).encode()


class Side:
    """One user agent, driven by the loop's clock through the weather."""

    def __init__(self, weather: "Weather", hop: Hop) -> None:
        self.weather, self.hop = weather, hop
        settings = AgentSettings(
            sent_by={("default", "udp"): f"127.0.0.1:{hop.port}"}, allow=METHODS, supported=("100rel",), timers=TIMERS
        )
        self.agent = UserAgent(settings, random.Random(hop.port).randbytes)
        self.timer: asyncio.TimerHandle | None = None

    @property
    def now(self) -> float:
        return self.weather.loop.time()

    def receive(self, data: bytes) -> None:
        self.do(self.agent.receive(data, self.weather.engine_hop, self.now))

    def do(self, actions: list[Any]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self.weather.carry(action.data, lambda data: self.weather.reach_engine(data, self.hop))
            else:
                self.react(action)
        deadline = self.agent.next_deadline()
        if deadline is not None and (self.timer is None or deadline < self.timer.when()):
            if self.timer is not None:
                self.timer.cancel()
            self.timer = self.weather.loop.call_at(deadline, self.tick)

    def tick(self) -> None:
        self.timer = None
        self.do(self.agent.tick(self.now))

    def later(self, seconds: float, act: Callable[[], list[Any]]) -> None:
        self.weather.loop.call_later(seconds, lambda: self.do(act()))

    def react(self, event: Any) -> None:
        """What concerns a call, or the engine's question whether we are there."""
        if isinstance(event, Stray):
            self.do(self.agent.respond(event.key, make_response(event.request, 200), self.now))
        elif not isinstance(event, Refused):  # what was repeated, and has been over for long
            self.hear(event.session, event)

    def hear(self, session: Session, event: Any) -> None:
        raise NotImplementedError


class Caller(Side):
    """Places calls by plan, and changes and ends them."""

    def call(self, number: int, plan: str) -> None:
        called = f"1{number:05d}"
        body = b"" if plan == "late offer" else sdp(4000)
        session, actions = self.agent.invite(
            hop=self.weather.engine_hop,
            uri=Uri.parse(f"sip:{called}@127.0.0.1"),
            from_=NameAddr.parse("<sip:200@left.example>"),
            to=NameAddr.parse(f"<sip:{called}@santral.example>"),
            body=body,
            now=self.now,
        )
        session.user = self.weather.calls[called] = Course(plan)
        self.do(actions)
        if plan == "cancelled":
            self.later(1.0, lambda: session.cancel(self.now))
        elif plan == "cancel crosses":
            self.later(0.3, lambda: session.cancel(self.now))

    def hear(self, session: Session, event: Any) -> None:
        course: Course = session.user
        match event:
            case Progress(is_offer=True):
                self.do(session.prack(self.now, sdp(4000), event.to_tag))
            case Answered():
                course.noted["answered"] += 1
                if course.plan == "late offer":
                    self.do(session.ack(self.now, sdp(4000)))
                self.go_on(session, course)
            case ReinviteAnswered():
                course.noted["changed"] += 1
                self.later(0.1, lambda: session.bye(self.now))
            case ReinviteRejected():
                course.noted["put off"] += 1
            case ReinviteDue():
                self.do(self.change(session, course))
            case Reinvited():
                self.do(session.accept_reinvite(self.now, sdp(4000, 2, "recvonly")))
                self.later(0.8, lambda: session.bye(self.now))
            case Rejected() | Ended():
                course.caller.append(event.cause)
                self.weather.over += 1

    def go_on(self, session: Session, course: "Course") -> None:
        if course.plan in ("held", "updated"):
            self.later(0.4, lambda: self.change(session, course))
        elif course.plan not in ("callee hangs up", "held by the callee"):
            self.later(0.8, lambda: session.bye(self.now))

    def change(self, session: Session, course: "Course") -> list[Any]:
        ask = session.update if course.plan == "updated" else session.reinvite
        return ask(self.now, sdp(4000, 2, "sendonly"))


class Callee(Side):
    """Answers or refuses as the plan of the number called has it."""

    def hear(self, session: Session, event: Any) -> None:
        course: Course = session.user
        match event:
            case IncomingInvite():
                session.user = self.weather.calls[event.request.uri.user or ""]
                self.ring(session, session.user)
            case Pracked():
                course.noted["pracked"] += 1
            case Acknowledged():
                course.noted["acknowledged"] += 1
                if course.plan in ("callee hangs up", "both hang up"):
                    self.later(0.8, lambda: session.bye(self.now))
                elif course.plan == "held by the callee":
                    self.later(0.4, lambda: session.reinvite(self.now, sdp(5000, 2, "sendonly")))
            case Reinvited():
                self.do(session.accept_reinvite(self.now, sdp(5000, 2, "recvonly")))
            case ReinviteAnswered():
                course.noted["changed"] += 1
            case ReinviteRejected():
                course.noted["put off"] += 1
            case ReinviteDue():
                self.do(session.reinvite(self.now, sdp(5000, 2, "sendonly")))
            case Cancelled():
                course.callee.append("cancelled")
            case Ended():
                course.callee.append(event.cause)

    def ring(self, session: Session, course: "Course") -> None:
        plan, is_reliable = course.plan, course.plan.startswith("reliable")
        body = sdp(5000) if is_reliable else b""
        self.do(session.progress(183 if body else 180, self.now, body=body, reliable=is_reliable))
        if plan.endswith("refused"):
            self.later(0.3, lambda: session.reject(486, self.now))
        elif plan != "cancelled":
            self.later(0.3, lambda: session.answer(self.now, body=sdp(5000)))


@dataclass
class Course:
    """What has become of one call."""

    plan: str
    caller: list[str] = field(default_factory=list)
    callee: list[str] = field(default_factory=list)
    noted: Counter[str] = field(default_factory=Counter)


class Weather:
    """Between the engine's transports and both sides."""

    def __init__(self, bench: Any, seed: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.random = random.Random(seed)
        self.calls: dict[str, Course] = {}
        self.signalling = bench.engine.signalling
        host, port = self.signalling.transports.addresses["default", "udp"]
        self.engine_hop = Hop("udp", host, port, "default")
        left, right = (Hop("udp", "127.0.0.1", peer.port, "default") for peer in (bench.left, bench.right))
        self.left, self.right = Caller(self, left), Callee(self, right)
        self.sides = {left.port: self.left, right.port: self.right}
        self.fate: Counter[str] = Counter()
        self.over = 0  # calls that have ended for the caller
        self.signalling.transports.send = self.send

    @property
    def under_way(self) -> int:
        return len(self.calls) - self.over

    def send(self, hop: Hop, data: bytes) -> None:
        """What the engine sends."""
        self.carry(data, self.sides[hop.port].receive)

    def reach_engine(self, data: bytes, source: Hop) -> None:
        self.signalling._receive(data, source)

    def carry(self, data: bytes, deliver: Callable[[bytes], None]) -> None:
        self.fate["sent"] += 1
        copies = 1 + (self.random.random() < DOUBLED)
        self.fate["doubled"] += copies - 1
        for _ in range(copies):
            if self.random.random() < LOST:
                self.fate["lost"] += 1
            else:
                self.loop.call_later(DELAY_S + self.random.random() * SPREAD_S, deliver, data)


@pytest.mark.timeout(PATIENCE_S)
async def test_two_thousand_calls_through_bad_weather(start: Start) -> None:
    """10 % lost, 10 % doubled, order lost, in each direction of each side: every call ends as planned, everywhere."""
    bench = await start(
        sip="max_calls_per_second = 10000\nmax_calls = 5000", try_timeout=30, progress_timeout=30, timeout=60
    )
    agent, plane = bench.engine.signalling.agent, bench.engine.services.plane
    agent._core.timers = agent._runner._timers = TIMERS
    weather = Weather(bench, seed=4475)
    plans = sorted(PLANS)
    for number in range(CALLS):
        weather.left.call(number, plans[number % len(plans)])
        await asyncio.sleep(EACH_S)
        while weather.under_way >= AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(EACH_S)
    async with asyncio.timeout(PATIENCE_S / 2):
        agents = [agent, weather.left.agent, weather.right.agent]
        while list(bench.engine.calls()) or any(any(one.counts.values()) for one in agents):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    records = await causes(bench)
    assert wrong_ones(weather.calls, records) == {}
    limits = bench.engine.services.limits
    assert (limits.holders(), limits.calls(), plane.snapshot()["legs_open"]) == (0, 0, 0)
    for plan in ("held", "held by the callee", "updated"):
        assert all(course.noted["changed"] == 1 for course in weather.calls.values() if course.plan == plan)
    assert weather.fate["lost"] > 0.09 * weather.fate["sent"]
    assert weather.fate["doubled"] > 0.09 * weather.fate["sent"]
    assert agent.counters["retransmissions_sent"] > CALLS / 4
    assert agent.counters["retransmissions_received"] > CALLS / 4


async def causes(bench: Any) -> dict[str, list[str]]:
    """The causes in the records, by the number called."""
    found: dict[str, list[str]] = {}
    after = None
    await bench.engine.cdrs.flush()
    while True:
        page = await bench.engine.cdrs.page(500, after)
        for record in page["items"]:
            found.setdefault(record["called"], []).append(record["cause"])
        after = page["next"]
        if after is None:
            return found


def wrong_ones(calls: dict[str, Course], records: dict[str, list[str]]) -> dict[str, Any]:
    """Calls that did not end once on each side and with one record, or not as planned."""
    wrong = {}
    for called, course in calls.items():
        found = (course.caller, course.callee, records.get(called, []))
        if not all(len(one) == 1 and one[0] in wanted for one, wanted in zip(found, PLANS[course.plan], strict=True)):
            wrong[called] = (course, found[2])
    return wrong
