"""The named crossings once more, as a table: who does what while the other's message is under way."""

from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.events import SubscriptionEnded
from santral.sip.message import Request, make_response, serialise

Act = Callable[[Any], Any]
OTHER = b"v=0\r\ns=other\r\n"


@pytest.fixture
def pair(make_pair: Callable[..., Any]) -> Any:
    """Both sides can do everything."""
    methods = ("PRACK", "UPDATE", "REFER", "NOTIFY")
    return make_pair(*methods, supported=("100rel", "norefersub"))


def a_bye(p: Any) -> Any:
    return p.a.do(p.caller.bye(p.now))


def b_bye(p: Any) -> Any:
    return p.b.do(p.callee.bye(p.now))


def a_cancel(p: Any) -> Any:
    return p.a.do(p.caller.cancel(p.now))


def b_answer(p: Any) -> Any:
    return p.b.do(p.callee.answer(p.now, body=OTHER))


def b_reliable(p: Any) -> Any:
    return p.b.do(p.callee.progress(183, p.now, body=OTHER, reliable=True))


def a_reinvite(p: Any) -> Any:
    return p.a.do(p.caller.reinvite(p.now, OTHER))


def b_reinvite(p: Any) -> Any:
    return p.b.do(p.callee.reinvite(p.now, OTHER))


def a_update(p: Any) -> Any:
    return p.a.do(p.caller.update(p.now, OTHER))


def b_update(p: Any) -> Any:
    return p.b.do(p.callee.update(p.now, OTHER))


def a_refer(p: Any) -> Any:
    return p.a.do(p.caller.refer(p.now, "<sip:c@example.com>")[1])


RINGING: list[tuple[Act, Act, str, str]] = [
    (a_cancel, b_answer, "cancelled", "bye"),
    (a_cancel, b_reliable, "cancelled", "cancelled"),
    (a_cancel, b_bye, "cancelled", "local"),
    (a_bye, b_answer, "cancelled", "bye"),
]
TALKING: list[tuple[Act, Act, str, str]] = [
    (a_bye, b_bye, "local", "local"),
    (a_reinvite, b_bye, "bye", "local"),
    (a_bye, b_reinvite, "local", "bye"),
    (a_update, b_bye, "bye", "local"),
    (a_bye, b_update, "local", "bye"),
    (a_refer, b_bye, "bye", "local"),
]
HARMLESS: list[tuple[Act, Act]] = [
    (a_reinvite, b_reinvite),
    (a_reinvite, b_update),
    (a_update, b_reinvite),
    (a_update, b_update),
]


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.004])
@pytest.mark.parametrize("crossing", RINGING, ids=lambda c: f"{c[0].__name__} {c[1].__name__}")
def test_while_it_rings(pair: Any, crossing: tuple[Act, Act, str, str], delay: float) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now))
    pair.network.run(0.05)
    ours, theirs, caller, callee = crossing
    ours(pair)
    pair.network.run(delay)  # less than the way takes
    theirs(pair)
    pair.assert_over(caller, callee)


@pytest.mark.parametrize("delay", [0.0, 0.004])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("crossing", TALKING, ids=lambda c: f"{c[0].__name__} {c[1].__name__}")
def test_while_they_talk(pair: Any, crossing: tuple[Act, Act, str, str], order: int, delay: float) -> None:
    pair.establish()
    for act in crossing[:2][::order]:
        act(pair)
        pair.network.run(delay)
    pair.assert_over(*crossing[2:])
    ended = [event for node in (pair.a, pair.b) for event in node.got(SubscriptionEnded)]
    assert len(ended) == (a_refer in crossing)


@pytest.mark.parametrize("crossing", HARMLESS, ids=lambda c: f"{c[0].__name__} {c[1].__name__}")
def test_two_changes(pair: Any, crossing: tuple[Act, Act]) -> None:
    pair.establish()
    for act in crossing:
        act(pair)
    pair.network.run(0.1)
    assert (pair.caller.state, pair.callee.state, pair.caller.change) == ("confirmed", "confirmed", "none")
    a_bye(pair)
    pair.assert_over("local", "bye")


@pytest.mark.parametrize("lost", [("ACK",), ("BYE",), ("ACK", "BYE")], ids=" ".join)
def test_2xx_repeated_after_a_cancel_that_came_too_late(pair: Any, lost: tuple[str, ...]) -> None:
    """It is acknowledged each time, and hung up once; whatever of ours is lost on the way."""
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now))
    pair.network.run(0.05)
    pair.network.filter = lambda _, m: not (isinstance(m, Request) and m.method in lost)
    a_cancel(pair)
    b_answer(pair)
    pair.network.run(3)
    wire = pair.network.wire(pair.a)
    assert wire.count("ACK") >= (3 if len(lost) == 2 else 1)  # a BYE ends the repetition
    assert pair.network.messages("200 CANCEL")
    pair.network.filter = lambda *_: True
    pair.network.run(5)
    for _ in range(2):  # and once more, long after everything is over
        again = make_response(pair.caller.request, 200, to_tag=pair.callee.local_tag)
        again.headers.add("Contact", "<sip:192.0.2.1:5070>")
        pair.network.sent.clear()
        pair.network.deliver(serialise(again), pair.a, pair.b.hop)
        assert pair.network.wire(pair.a) == ["ACK"]
    pair.assert_over("cancelled", "bye")


@pytest.mark.parametrize("seed", range(30))
def test_update_and_prack_in_any_order(make_network: Any, sdp: bytes, seed: int) -> None:
    """Order lost on the way: the caller's UPDATE cannot overtake its PRACK, and whatever waits is tried again."""
    network = make_network(seed, delay=0.01, spread=0.8, loss=0.1)
    settings = {"allow": ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"), "supported": ("100rel",)}
    a, b = network.node("alice", **settings), network.node("bob", **settings)
    done: list[str] = []

    def react(node: Any) -> Callable[[Any], None]:
        def on(event: Any) -> None:
            session = event.session
            match type(event).__name__:
                case "IncomingInvite":
                    node.do(session.progress(183, network.now, body=sdp, reliable=True))
                case "Pracked":
                    network.later(9, lambda: node.do(session.answer(network.now)))
                case "Progress" if event.is_reliable:
                    node.do(session.update(network.now, OTHER))  # too early: it waits for the answer to the PRACK
                case "ReinviteDue":
                    node.do(session.update(network.now, OTHER))
                case "Reinvited":
                    node.do(session.accept_reinvite(network.now, sdp))
                case "ReinviteAnswered":
                    done.append(node.name)

        return on

    a.react, b.react = react(a), react(b)
    session = a.call(b, body=sdp)
    network.run(40)
    assert session.state == "confirmed"
    assert done == ["alice"]
    a.do(session.bye(network.now))
    network.assert_quiet()
