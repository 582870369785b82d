"""Two stacks, two owners that do anything at any time, a network that does its worst: thousands of seeds.

Whatever crosses: each session and each subscription ends with one event, each change of ours comes to one outcome, both
sides agree that it is over, and nothing is left behind. SANTRAL_FUZZ_EXAMPLES sets the number of seeds, and looks for
new ones; a seed that fails is named by the assertion and fails again.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.events import (
    Cancelled,
    Ended,
    IncomingInvite,
    Progress,
    Referred,
    ReinviteAnswered,
    ReinviteCancelled,
    Reinvited,
    ReinviteRejected,
    Rejected,
    Subscribed,
    SubscriptionEnded,
)
from santral.sip.session import Session, SessionTimer, Subscription

EXAMPLES = int(os.environ.get("SANTRAL_FUZZ_EXAMPLES", "0"))
SEEDS = max(EXAMPLES, 2000)
BATCHES = 5
pytestmark = pytest.mark.timeout(60 + EXAMPLES)
SETTINGS = {
    "allow": ("INVITE", "ACK", "CANCEL", "BYE", "INFO", "PRACK", "UPDATE", "REFER", "NOTIFY", "SUBSCRIBE"),
    "supported": ("100rel", "timer", "replaces", "norefersub"),
    "event_packages": ("dialog",),
}
ACTS = 24


class Play:
    """One call between Alice and Bob, and everything that may be done to it."""

    def __init__(self, network: Any, sdp: bytes, seed: int) -> None:
        self.network, self.sdp, self.dice = network, sdp, random.Random(seed)
        lacking = self.dice.choice([(), (), ("PRACK",), ("UPDATE",), ("REFER", "NOTIFY")])
        other = {
            **SETTINGS,
            "allow": tuple(method for method in SETTINGS["allow"] if method not in lacking),
            "supported": ("timer",) if "PRACK" in lacking else SETTINGS["supported"],
            "min_se_s": self.dice.choice([90, 90, 100]),
        }
        self.a, self.b = network.node("alice", **SETTINGS), network.node("bob", **other)
        self.a.react, self.b.react = self.hear, self.hear
        self.ends: dict[Any, int] = {}
        self.subscriptions: dict[Subscription, int] = {}
        self.asked: Counter[Any] = Counter()
        self.told: Counter[Any] = Counter()
        self.open: Counter[Any] = Counter()
        self.tags: dict[Any, str] = {}
        timer = SessionTimer(self.dice.choice([90, 120])) if self.dice.random() < 0.3 else None
        headers = [("Require", "100rel")] if self.dice.random() < 0.2 and "PRACK" not in lacking else []
        body = sdp if self.dice.random() < 0.7 else b""
        self.first = self.a.call(self.b, body=body, headers=headers, session_timer=timer)
        self.ends[self.first] = 0

    def node_of(self, session: Any) -> Any:
        return self.a if session.core is self.a.agent._core else self.b

    def hear(self, event: Any) -> None:
        session = getattr(event, "session", None)
        match event:
            case IncomingInvite():
                self.ends[session] = 0
                session.session_timer = SessionTimer(90) if self.dice.random() < 0.2 else None
            case Rejected() | Cancelled() | Ended():
                assert self.ends[session] == 0, event
                self.ends[session] += 1
            case ReinviteAnswered() | ReinviteRejected():
                assert self.ends[session] == 0, event
                self.told[session] += 1
            case Reinvited():
                self.open[session] += 1
                assert self.ends[session] == 0, event
            case ReinviteCancelled():
                self.open[session] -= 1
            case Progress():
                self.tags[session] = event.to_tag
            case Referred() | Subscribed():
                self.subscriptions[event.subscription] = 0
            case SubscriptionEnded():
                made = event.subscription
                self.subscriptions[made] = self.subscriptions.get(made, 0) + 1

    def act(self) -> None:
        """One thing one of the owners does."""
        session = self.dice.choice(list(self.ends))
        if self.dice.random() < 0.2:
            if self.subscriptions:
                self.act_on(self.dice.choice(list(self.subscriptions)))
            if len(self.subscriptions) < 6:
                self.subscribe(self.dice.choice([0, 60, 120, 3600]))
            return
        choices = CALLEE if session.role == "uas" and session.dialog and not session.is_over else ANY
        choices = choices + CALLER if session.role == "uac" else choices
        self.node_of(session).do(self.dice.choice(choices)(self, session, self.network.now))

    def act_on(self, subscription: Subscription) -> None:
        now, dice = self.network.now, self.dice
        acts: list[Callable[[], Any]] = [
            lambda: subscription.accept(now),
            lambda: subscription.accept(now),
            lambda: subscription.reject(603, now),
            lambda: subscription.notify_status(now, dice.choice([180, 183])),
            lambda: subscription.notify_status(now, dice.choice([200, 486])),
            lambda: subscription.terminate(now),
            lambda: subscription.notify(now, b"<x/>", "application/dialog-info+xml"),
            lambda: subscription.resubscribe(now, 300),
            lambda: subscription.unsubscribe(now),
        ]
        self.node_of(subscription).do(dice.choice(acts)())

    def subscribe(self, expires_s: int) -> None:
        invite = self.first.request
        made, actions = self.a.agent.subscribe(
            hop=self.b.hop, uri=invite.uri, from_=invite.from_.with_tag(None), to=invite.to.with_tag(None),
            event="dialog", expires_s=expires_s, now=self.network.now,
        )  # fmt: skip
        self.subscriptions[made] = 0
        self.a.do(actions)

    def propose(self, session: Session, now: float, method: str) -> Any:
        if not session.is_over:
            self.asked[session] += 1
        body = self.sdp if self.dice.random() < 0.8 else b""
        return getattr(session, method)(now, body)

    def refer(self, session: Session, now: float) -> Any:
        made, actions = session.refer(now, "<sip:carol@example.com>", subscribes=self.dice.random() < 0.8)
        self.subscriptions.setdefault(made, 0)
        return actions


ANY: list[Callable[[Play, Any, float], Any]] = [
    lambda play, s, now: play.propose(s, now, "reinvite"),
    lambda play, s, now: play.propose(s, now, "update"),
    lambda play, s, now: play.propose(s, now, "update"),
    lambda play, s, now: s.accept_reinvite(now, play.sdp),
    lambda play, s, now: s.accept_reinvite(now, play.sdp),
    lambda play, s, now: s.reject_reinvite(play.dice.choice([488, 491, 500]), now),
    lambda play, s, now: s.ack(now, play.sdp),
    lambda play, s, now: s.send("INFO", now, body=b"x", content_type="text/plain")[1],
    lambda play, s, now: play.refer(s, now),
    lambda play, s, now: s.bye(now) if play.dice.random() < 0.25 else [],
]
CALLEE = [
    *ANY,
    lambda play, s, now: s.progress(180, now, reliable=play.dice.random() < 0.6),
    lambda play, s, now: s.progress(183, now, body=play.sdp, reliable=play.dice.random() < 0.8),
    lambda play, s, now: s.answer(now, body=play.sdp),
    lambda play, s, now: s.answer(now, body=play.sdp),
    lambda play, s, now: s.reject(486, now) if play.dice.random() < 0.2 else [],
]
CALLER = [
    lambda play, s, now: s.prack(now, play.sdp, play.tags.get(s, "")),
    lambda play, s, now: s.cancel(now) if play.dice.random() < 0.3 else [],
]


def play_once(make_network: Callable[..., Any], sdp: bytes, seed: int) -> None:
    dice = random.Random(~seed)
    weather = {"loss": dice.choice([0, 0.05, 0.15, 0.3]), "duplicate": dice.choice([0, 0.1]), "delay": 0.01}
    network = make_network(seed, spread=dice.choice([0, 0.05, 0.5]), **weather)
    network.keeps_record = False
    play = Play(network, sdp, seed)
    pace = dice.choice([0.0, 0.02, 0.3, 8.0])
    for _ in range(ACTS):
        network.run(dice.random() * pace)
        play.act()
    network.run(dice.choice([0, 0.02, 1, 200]))
    for subscription in list(play.subscriptions):
        play.node_of(subscription).do(subscription.unsubscribe(network.now))
    network.run(100)
    for subscription in list(play.subscriptions):  # a notifier does not know that its subscriber gave up too early
        play.node_of(subscription).do(subscription.terminate(network.now))
    for _ in range(2):  # the second time for an INVITE that came so late that its sender had given it up
        for session in list(play.ends):
            play.node_of(session).do(session.bye(network.now))
        network.run(220)
    for node in (play.a, play.b):
        assert set(node.agent.counts.values()) == {0}, (seed, node.name, node.agent.counts)
        assert node.agent.counters["malformed"] == 0, seed
    assert set(play.ends.values()) == {1}, seed
    assert set(play.subscriptions.values()) <= {1}, seed
    for session, told in play.told.items():
        assert told <= play.asked[session] + 1, seed  # a refresh may be answered with news
    weak = [s for s in play.ends if s.provisionals is not None or s.watch is not None or s.early]
    assert weak == [], seed


@pytest.mark.parametrize("batch", range(BATCHES))
def test_two_stacks_and_two_careless_owners(make_network: Callable[..., Any], sdp: bytes, batch: int) -> None:
    base = 1_000_000 if EXAMPLES else 0
    for seed in range(base + batch, base + SEEDS, BATCHES):
        play_once(make_network, sdp, seed)
