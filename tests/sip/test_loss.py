"""Hundreds of calls through a network that loses, repeats and reorders, and tens of thousands through a good one."""

import gc
import random
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.events import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    IncomingInvite,
    InDialog,
    ReinviteAnswered,
    Reinvited,
    ReinviteRejected,
    Rejected,
    RequestAnswered,
    RequestFailed,
)
from santral.sip.message import make_response
from santral.sip.session import Session
from santral.sip.ua.dialog import Dialog
from santral.sip.ua.transaction import Transaction

ENDS = {  # what each plan must come to: causes at the caller, causes at the callee
    "caller hangs up": ({"local"}, {"bye"}),
    "callee hangs up": ({"bye"}, {"local"}),
    "both hang up": ({"local", "bye"}, {"local", "bye"}),
    "refused": ({"response"}, {"local"}),
    "cancelled": ({"cancelled"}, {"cancelled"}),
    "cancel crosses": ({"cancelled"}, {"cancelled", "bye"}),
    "late offer": ({"local"}, {"bye"}),
    "changed": ({"local"}, {"bye"}),
    "info": ({"local"}, {"bye"}),
}


class Owners:
    """Both owners: they follow the plan that travels in a header, and note how each session ends."""

    def __init__(self, network: Any, sdp: bytes) -> None:
        self.network, self.sdp = network, sdp
        self.a, self.b = network.node("alice"), network.node("bob")
        self.a.react, self.b.react = self.on_caller, self.on_callee
        self.ends: dict[str, tuple[list[str], list[str]]] = {}
        self.noted: Counter[str] = Counter()

    def start(self, number: int, plan: str) -> None:
        name = f"{number} {plan}"
        self.ends[name] = ([], [])
        body = b"" if plan == "late offer" else self.sdp
        session = self.a.call(self.b, body=body, headers=[("X-Plan", name)])
        session.user = name
        if plan.startswith("cancel"):
            wait = 2.0 if plan == "cancelled" else 0.95
            self.network.later(wait, lambda: self.a.do(session.cancel(self.network.now)))

    def on_caller(self, event: Any) -> None:
        now, session = self.network.now, getattr(event, "session", None)
        match event:
            case Answered():
                self.noted["answered"] += 1
                self.on_answer(session, now)
            case ReinviteAnswered() | ReinviteRejected():
                self.noted[f"change {type(event).__name__}"] += 1
            case RequestAnswered() | RequestFailed():
                self.noted[f"info {type(event).__name__}"] += 1
            case Rejected() | Ended():
                self.ends[session.user][0].append(event.cause)

    def on_answer(self, session: Session, now: float) -> None:
        plan = session.user.partition(" ")[2]
        later, do = self.network.later, self.a.do
        if plan == "late offer":
            do(session.ack(now, self.sdp))
        if plan == "changed":
            later(1.0, lambda: do(session.reinvite(self.network.now, self.sdp)))
        if plan == "info":
            later(1.0, lambda: do(session.send("INFO", self.network.now, body=b"x", content_type="text/plain")[1]))
        if plan != "callee hangs up":
            later(20.0, lambda: do(session.bye(self.network.now)))

    def on_callee(self, event: Any) -> None:
        now, session = self.network.now, getattr(event, "session", None)
        match event:
            case IncomingInvite():
                session.user = event.request.headers.get("X-Plan")
                self.on_invite(session, session.user.partition(" ")[2])
            case Acknowledged() if session.user.endswith("hangs up") or session.user.endswith("hang up"):
                if "caller" not in session.user:
                    self.network.later(20.0, lambda: self.b.do(session.bye(self.network.now)))
            case Reinvited():
                self.b.do(session.accept_reinvite(now, self.sdp))
            case InDialog():
                self.b.do(self.b.agent.respond(event.key, make_response(event.request, 200), now))
            case Cancelled():
                self.ends[session.user][1].append("cancelled")
            case Ended():
                self.ends[session.user][1].append(event.cause)

    def on_invite(self, session: Session, plan: str) -> None:
        later, do, network = self.network.later, self.b.do, self.network
        do(session.progress(180, network.now))
        if plan == "refused":
            later(1.0, lambda: do(session.reject(486, network.now)))
        elif plan != "cancelled":
            later(1.0, lambda: do(session.answer(network.now, body=self.sdp)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_calls_through_bad_weather(make_network: Callable[..., Any], sdp: bytes, seed: int) -> None:
    """10 % lost, 10 % doubled, order lost within 300 ms, each direction: every call ends as planned, on both sides."""
    network = make_network(seed, loss=0.1, duplicate=0.1, delay=0.02, spread=0.3)
    network.keeps_record = False
    owners = Owners(network, sdp)
    plans = sorted(ENDS)
    for number in range(360):
        plan = plans[number % len(plans)]
        network.later(number * 0.05, lambda number=number, plan=plan: owners.start(number, plan))
    network.run(360 * 0.05 + 60)
    wrong = {
        name: found
        for name, found in owners.ends.items()
        for caller, callee in [ENDS[name.partition(" ")[2]]]
        if len(found[0]) != 1 or len(found[1]) != 1 or found[0][0] not in caller or found[1][0] not in callee
    }
    assert wrong == {}
    assert owners.noted["answered"] >= 6 * 40
    assert owners.noted["info RequestAnswered"] == 40
    put_off = owners.noted["change ReinviteRejected"]  # 491: it overtook the ACK
    assert owners.noted["change ReinviteAnswered"] + put_off == 40
    assert put_off <= 5
    assert owners.a.agent.counters["retransmissions_sent"] > 100  # the weather was real
    assert owners.b.agent.counters["retransmissions_received"] > 100
    network.assert_quiet()


@pytest.mark.parametrize("seed", range(4))
def test_worse_weather_still_leaves_nothing_behind(make_network: Callable[..., Any], sdp: bytes, seed: int) -> None:
    """At 40 % loss calls fail as they may, but each side tells each end once, and everything goes away."""
    network = make_network(seed, loss=0.4, duplicate=0.3, delay=0.02, spread=2.0)
    network.keeps_record = False
    owners = Owners(network, sdp)
    for number, plan in enumerate(sorted(ENDS) * 8):
        network.later(number * 0.1, lambda number=number, plan=plan: owners.start(number, plan))
    network.run(200)
    for name, (caller, callee) in owners.ends.items():
        assert len(caller) == 1, name
        assert len(callee) <= 1, name
    network.assert_quiet()


class Callee:
    """The shortest calls there are: answered at once, hung up at once."""

    def __init__(self, network: Any, sdp: bytes) -> None:
        self.network, self.sdp = network, sdp
        network.keeps_record = False
        self.a, self.b = network.node("alice"), network.node("bob")
        self.a.react, self.b.react = self.on_caller, self.on_callee
        self.done = 0

    def on_caller(self, event: Any) -> None:
        if isinstance(event, Answered):
            self.a.do(event.session.bye(self.network.now))

    def on_callee(self, event: Any) -> None:
        if isinstance(event, IncomingInvite):
            self.b.do(event.session.progress(180, self.network.now))
            self.b.do(event.session.answer(self.network.now, body=self.sdp))
        elif isinstance(event, Ended):
            self.done += 1

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.a.call(self.b, body=self.sdp)
            self.network.run(0.005)
            self.a.events.clear()
            self.b.events.clear()


def live(*kinds: type) -> int:
    return sum(type(thing) in kinds for thing in gc.get_objects())


def test_nothing_needs_the_garbage_collector(network: Any, sdp: bytes) -> None:
    """20,000 calls with the collector switched off: sessions, dialogs and transactions are freed by reference count."""
    calls = Callee(network, sdp)
    gc.collect()  # what other tests left
    gc.disable()
    try:
        blocks = []
        for _ in range(2):
            calls.run(10_000)
            network.assert_quiet()
            calls.a.events.clear()
            calls.b.events.clear()
            assert live(Session, Dialog, Transaction) == 0
            blocks.append(sys.getallocatedblocks())
        assert calls.done == 20_000
        assert blocks[1] - blocks[0] < 500
    finally:
        gc.enable()


def test_a_finished_transaction_is_small(network: Any, sdp: bytes) -> None:
    """Key, state and last bytes: at 400 calls/s some 40,000 of them linger for 32 s."""
    calls = Callee(network, sdp)
    calls.run(500)
    network.run(100)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        calls.run(1000)
        network.run(6)  # beyond Timers I and K; D, J, L and M still run
        calls.a.events.clear()
        calls.b.events.clear()
        lingering = sum(
            node.agent.counts["client_transactions"] + node.agent.counts["server_transactions"]
            for node in (calls.a, calls.b)
        )
        assert lingering >= 3000
        assert (tracemalloc.get_traced_memory()[0] - before) / lingering < 1300
    finally:
        tracemalloc.stop()


def test_random_owners_and_weather_leave_nothing(make_network: Callable[..., Any], sdp: bytes) -> None:
    """Whatever owners do, and whenever: one terminal event for each session, and nothing left."""
    for seed in range(40):
        network = make_network(seed, loss=0.15, duplicate=0.1, delay=0.01, spread=0.5)
        network.keeps_record = False
        dice = random.Random(seed)
        a, b = network.node("alice"), network.node("bob")
        sessions: dict[Session, int] = {}

        def react(event: Any, sessions: dict[Session, int] = sessions) -> None:
            if isinstance(event, IncomingInvite):
                sessions[event.session] = 0
            elif isinstance(event, (Rejected, Cancelled, Ended)):
                sessions[event.session] += 1

        a.react = b.react = react
        for _ in range(15):
            sessions[a.call(b, body=sdp if dice.random() < 0.7 else b"")] = 0
            network.run(0.1)
        for _ in range(150):
            session = dice.choice(list(sessions))
            node = a if session.role == "uac" else b
            node.do(_random_act(session, network.now, dice, sdp))
            network.run(dice.random())
        for session in list(sessions):
            node = a if session.role == "uac" else b
            node.do(session.bye(network.now))
        network.assert_quiet()
        assert set(sessions.values()) == {1}


def _random_act(session: Session, now: float, dice: random.Random, sdp: bytes) -> Any:
    acts: list[Callable[[], Any]] = [
        lambda: session.progress(183, now, body=sdp),
        lambda: session.answer(now, body=sdp),
        lambda: session.reject(486, now) if dice.random() < 0.2 else [],
        lambda: session.cancel(now) if dice.random() < 0.3 else [],
        lambda: session.ack(now, sdp),
        lambda: session.bye(now) if dice.random() < 0.2 else [],
        lambda: session.reinvite(now, sdp),
        lambda: session.reinvite(now),
        lambda: session.accept_reinvite(now, sdp),
        lambda: session.reject_reinvite(488, now),
        lambda: session.send("INFO", now, body=b"x", content_type="text/plain")[1],
    ]
    return dice.choice(acts)()
