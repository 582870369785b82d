"""UPDATE (RFC 3311): changes before and after the answer, glare with everything else, and trying again in time."""

from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.events import (
    Ended,
    Refreshed,
    ReinviteAnswered,
    ReinviteCancelled,
    Reinvited,
    ReinviteDue,
    ReinviteRejected,
    Rejected,
)
from santral.sip.message import Request, make_response, serialise
from santral.sip.ua.dialog import Exchange

OTHER = b"v=0\r\ns=other\r\n"


@pytest.fixture
def pair(make_pair: Callable[..., Any]) -> Any:
    """Both sides have UPDATE and 100rel."""
    return make_pair("PRACK", "UPDATE", supported=("100rel",))


@pytest.fixture
def early(pair: Any, sdp: bytes) -> Any:
    """Ringing, with the first offer answered reliably."""
    pair.invite()
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    pair.network.run(0.05)
    pair.network.sent.clear()
    return pair


def sides(pair: Any, by_caller: bool) -> tuple[Any, Any, Any, Any]:
    if by_caller:
        return pair.a, pair.caller, pair.b, pair.callee
    return pair.b, pair.callee, pair.a, pair.caller


def hang_up(pair: Any) -> None:
    pair.network.run(1)
    pair.a.do(pair.caller.bye(pair.now) if pair.caller.state == "confirmed" else pair.caller.cancel(pair.now))
    pair.network.assert_quiet()


@pytest.mark.parametrize("by_caller", [True, False])
def test_in_a_session(pair: Any, sdp: bytes, by_caller: bool) -> None:
    pair.establish()
    us, ours, them, theirs = sides(pair, by_caller)
    assert ours.may_update()
    us.do(ours.update(pair.now, OTHER, [("P-Asserted-Identity", "<sip:x@y>")]))
    pair.network.run(0.05)
    (asked,) = them.got(Reinvited)
    assert (asked.method, asked.request.body) == ("UPDATE", OTHER)
    assert not theirs.may_update()
    them.do(theirs.accept_reinvite(pair.now, sdp))
    pair.network.run(0.05)
    (answered,) = us.got(ReinviteAnswered)
    assert (answered.method, answered.response.body) == ("UPDATE", sdp)
    assert pair.network.wire() == ["UPDATE", "200 UPDATE"]
    us.do(ours.update(pair.now, OTHER))
    pair.network.run(0.05)
    them.do(theirs.reject_reinvite(488, pair.now))
    pair.network.run(0.05)
    assert [(event.status, event.method) for event in us.got(ReinviteRejected)] == [(488, "UPDATE")]
    assert (ours.state, theirs.state) == ("confirmed", "confirmed")
    hang_up(pair)


@pytest.mark.parametrize("by_caller", [True, False])
def test_before_the_answer(early: Any, sdp: bytes, by_caller: bool) -> None:
    us, ours, them, theirs = sides(early, by_caller)
    assert ours.may_update()
    us.do(ours.update(early.now, OTHER))
    early.network.run(0.05)
    assert them.got(Reinvited)[0].to_tag == ours.local_tag
    them.do(theirs.accept_reinvite(early.now, sdp))
    early.network.run(0.05)
    assert us.got(ReinviteAnswered)[0].to_tag == theirs.local_tag
    early.b.do(early.callee.answer(early.now, body=sdp))
    early.network.run(0.05)
    assert early.network.wire() == ["UPDATE", "200 UPDATE", "200 INVITE", "ACK"]
    early.network.sent.clear()
    us.do(ours.update(early.now, OTHER))
    early.network.run(0.05)
    them.do(theirs.accept_reinvite(early.now, sdp))
    early.network.run(0.05)
    assert early.network.wire() == ["UPDATE", "200 UPDATE"]
    hang_up(early)


def test_not_before_the_first_offer_is_answered(pair: Any, sdp: bytes) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp))  # not reliably
    pair.network.run(0.05)
    for node, session in ((pair.a, pair.caller), (pair.b, pair.callee)):
        assert not session.may_update()
        node.do(session.update(pair.now, OTHER))
        assert [(e.status, e.response, e.method) for e in node.got(ReinviteRejected)] == [(491, None, "UPDATE")]
    assert "UPDATE" not in pair.network.wire()
    hang_up(pair)


def test_a_peer_that_asks_too_early_is_put_off(early: Any, sdp: bytes) -> None:
    """Their INVITE's offer is unanswered: 500; ours: 491 (RFC 3311 section 5.2)."""
    for node, session, other, exchange in (
        (early.a, early.caller, early.callee, Exchange.OURS),
        (early.a, early.caller, early.callee, Exchange.THEIRS),
        (early.b, early.callee, early.caller, Exchange.OURS),
    ):
        session.dialog_of().exchange, other.dialog_of().exchange = Exchange.SETTLED, exchange
        early.network.sent.clear()
        node.do(session.update(early.now, OTHER))
        early.network.run(0.05)
        status = 491 if exchange is Exchange.OURS else 500
        assert early.network.wire()[-1] == f"{status} UPDATE"
        other.dialog_of().exchange = Exchange.SETTLED
    hang_up(early)


def test_without_a_body_it_is_answered_here(pair: Any) -> None:
    pair.establish()
    pair.a.do(pair.caller.update(pair.now, headers=[("P-Asserted-Identity", "<sip:x@y>")]))
    pair.network.run(0.05)
    assert pair.network.wire() == ["UPDATE", "200 UPDATE"]
    (refreshed,) = pair.b.got(Refreshed)
    assert refreshed.message.headers.get("P-Asserted-Identity") == "<sip:x@y>"
    assert not pair.b.got(Reinvited)
    assert pair.a.got(ReinviteAnswered)[0].method == "UPDATE"
    hang_up(pair)


def test_it_moves_the_target_either_way(pair: Any) -> None:
    pair.establish()
    pair.a.do(pair.caller.update(pair.now, OTHER, [("Contact", "<sip:new@192.0.2.1:5060>")]))
    pair.network.run(0.05)
    assert str(pair.callee.remote_target) != "sip:new@192.0.2.1:5060"
    pair.b.do(pair.callee.accept_reinvite(pair.now, OTHER, [("Contact", "<sip:newer@192.0.2.1:5070>")]))
    pair.network.run(0.05)
    assert str(pair.callee.remote_target) == "sip:new@192.0.2.1:5060"
    assert str(pair.caller.remote_target) == "sip:newer@192.0.2.1:5070"
    hang_up(pair)


# -- glare -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theirs", ["update", "reinvite"])
@pytest.mark.parametrize("ours", ["update", "reinvite"])
def test_two_changes_cross(pair: Any, ours: str, theirs: str) -> None:
    """Both are refused; the callee, who waits at most 2 s, tries again first (RFC 3261 section 14.1)."""
    pair.establish()
    pair.a.do(getattr(pair.caller, ours)(pair.now, OTHER))
    pair.b.do(getattr(pair.callee, theirs)(pair.now, OTHER))
    pair.network.run(0.05)
    start = pair.now
    for node, method in ((pair.a, ours), (pair.b, theirs)):
        name = "UPDATE" if method == "update" else "INVITE"
        assert [(event.status, event.method) for event in node.got(ReinviteRejected)] == [(491, name)]
        assert not node.got(Reinvited)
    due: dict[str, float] = {}
    for node in (pair.a, pair.b):
        node.react = lambda event, name=node.name: (
            due.setdefault(name, pair.now - start) if isinstance(event, ReinviteDue) else None
        )
    pair.network.run(5)
    assert 2.0 <= due["alice"] <= 4.05
    assert 0 <= due["bob"] <= 2.0
    assert pair.a.got(ReinviteDue)[0].method == ("UPDATE" if ours == "update" else "INVITE")
    hang_up(pair)


@pytest.mark.parametrize("seed", range(20))
def test_both_try_again_until_both_have_had_their_change(make_network: Any, seed: int, sdp: bytes) -> None:
    network = make_network(seed)
    settings = {"allow": ("INVITE", "ACK", "CANCEL", "BYE", "UPDATE")}
    a, b = network.node("alice", **settings), network.node("bob", **settings)
    sessions: dict[str, Any] = {}
    done: list[str] = []

    def react(node: Any) -> Callable[[Any], None]:
        def on(event: Any) -> None:
            match event:
                case Reinvited():
                    network.later(0.2, lambda: node.do(event.session.accept_reinvite(network.now, sdp)))
                case ReinviteDue():
                    node.do(event.session.reinvite(network.now, sdp))
                case ReinviteAnswered():
                    done.append(node.name)

        return on

    a.react, b.react = react(a), react(b)
    sessions["alice"] = a.call(b)
    network.run(0.05)
    sessions["bob"] = b.events[0].session
    b.do(sessions["bob"].answer(network.now, body=sdp))
    network.run(0.05)
    a.do(sessions["alice"].reinvite(network.now, sdp))
    b.do(sessions["bob"].reinvite(network.now, sdp))
    network.run(30)
    assert sorted(done) == ["alice", "bob"]
    a.do(sessions["alice"].bye(network.now))
    network.assert_quiet()


def test_their_second_change_waits_for_our_answer_to_the_first(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.update(pair.now, OTHER))
    pair.network.run(0.05)
    update = pair.network.messages("UPDATE")[0]
    for number, body in ((10, OTHER), (11, b"")):  # RFC 3311 section 5.2: even one without an offer
        update.headers.set("CSeq", f"{number} UPDATE")
        update.headers.set("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number};rport")
        update.body = body
        pair.network.deliver(serialise(update), pair.b, pair.a.hop)
        assert pair.network.wire(pair.b)[-1] == "500 UPDATE"
        assert 0 <= int(pair.network.sent[-1][2].headers.get("Retry-After")) <= 10
    pair.b.do(pair.callee.accept_reinvite(pair.now, sdp))
    pair.caller.dialog.local_cseq = 11
    hang_up(pair)


def test_500_with_retry_after_is_tried_again_then(pair: Any) -> None:
    pair.establish()
    pair.a.do(pair.caller.update(pair.now, OTHER))
    pair.network.run(0.05)
    pair.b.do(pair.callee.reject_reinvite(500, pair.now, [("Retry-After", "7")]))
    pair.network.run(6.9)
    assert not pair.a.got(ReinviteDue)
    pair.network.run(0.3)
    assert len(pair.a.got(ReinviteDue)) == 1
    hang_up(pair)


def test_nothing_is_due_once_the_session_is_over(pair: Any) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, OTHER))
    pair.a.do(pair.caller.reinvite(pair.now, OTHER))
    assert [event.status for event in pair.a.got(ReinviteRejected)] == [491]
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(10)
    assert not pair.a.got(ReinviteDue)
    pair.assert_over("local", "bye")


# -- crossings with the end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_caller", [True, False])
def test_bye_while_an_update_waits(pair: Any, by_caller: bool) -> None:
    pair.establish()
    pair.a.do(pair.caller.update(pair.now, OTHER))
    pair.network.run(0.05)
    us, ours, _, _ = sides(pair, by_caller)
    us.do(ours.bye(pair.now))
    pair.network.run(0.1)
    assert "487 UPDATE" in pair.network.wire(pair.b)
    assert len(pair.a.got(ReinviteRejected)) == (0 if by_caller else 1)  # the 487 came before the BYE
    assert pair.callee.accept_reinvite(pair.now, OTHER) == []
    pair.network.assert_quiet()
    assert pair.terminals() == ((["local"], ["bye"]) if by_caller else (["bye"], ["local"]))


@pytest.mark.parametrize("how", ["cancel", "reject", "answer"])
def test_the_end_of_ringing_while_an_update_waits(early: Any, sdp: bytes, how: str) -> None:
    early.a.do(early.caller.update(early.now, OTHER))
    early.network.run(0.05)
    match how:
        case "cancel":
            early.a.do(early.caller.cancel(early.now))
        case "reject":
            early.b.do(early.callee.reject(486, early.now))
        case "answer":
            early.b.do(early.callee.answer(early.now, body=sdp))
            early.network.run(0.05)
            early.b.do(early.callee.accept_reinvite(early.now, sdp))
            early.network.run(0.05)
            assert early.a.got(ReinviteAnswered)
            early.a.do(early.caller.bye(early.now))
    early.network.run(0.1)
    assert ("487 UPDATE" in early.network.wire()) == (how != "answer")
    causes = {"cancel": ("cancelled", "cancelled"), "reject": ("response", "local"), "answer": ("local", "bye")}
    early.assert_over(*causes[how])


@pytest.mark.parametrize("status", [481, 408])
def test_an_update_that_finds_nobody_ends_the_session(pair: Any, status: int) -> None:
    pair.establish()
    pair.a.do(pair.caller.update(pair.now, OTHER))
    pair.network.run(0.05)
    pair.b.do(pair.callee.reject_reinvite(status, pair.now))
    pair.network.run(0.05)
    assert pair.a.events[-1] == Ended(pair.caller, "lost", None)
    assert ("BYE" in pair.network.wire(pair.a)) == (status == 408)


def test_update_crosses_prack(pair: Any, sdp: bytes) -> None:
    """The callee may not propose before its answer is acknowledged, nor the caller before its PRACK is answered."""
    pair.invite()
    pair.network.filter = lambda _, m: not (isinstance(m, Request) and m.method == "PRACK")
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    pair.network.run(0.05)
    for node, session in ((pair.a, pair.caller), (pair.b, pair.callee)):
        assert not session.may_update()
        node.do(session.update(pair.now, OTHER))
        assert [event.status for event in node.got(ReinviteRejected)] == [491]
    pair.network.filter = lambda *_: True
    pair.network.run(8)
    assert "200 PRACK" in pair.network.wire()
    for node, session in ((pair.a, pair.caller), (pair.b, pair.callee)):
        assert len(node.got(ReinviteDue)) == 1
        assert session.may_update()
    hang_up(pair)


# -- forks -------------------------------------------------------------------------------------------------------------


def test_each_early_dialog_can_be_changed_and_the_losers_go(network: Any, sdp: bytes) -> None:
    a = network.node("alice", allow=("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"), supported=("100rel",))
    proxy = network.node("proxy")
    network.filter = lambda sender, _: sender is not a
    session = a.call(proxy, body=sdp)

    def say(status: int, tag: str, **more: str) -> None:
        response = make_response(session.request, status, to_tag=tag)
        headers = {"Contact": f"<sip:{tag}@192.0.2.1:5070>", "Allow": "UPDATE", **more}
        for name, value in headers.items():
            response.headers.add(name, value)
        response.body = sdp
        response.headers.add("Content-Type", "application/sdp")
        network.deliver(serialise(response), a, proxy.hop)

    for tag in ("one", "two"):
        say(183, tag, Require="100rel", RSeq="1")
        assert not session.may_update(tag)
        prack = network.messages("PRACK")[-1]
        network.deliver(serialise(make_response(prack, 200)), a, proxy.hop)
        assert session.may_update(tag)
    a.do(session.update(network.now, OTHER, to_tag="one"))
    assert network.messages("UPDATE")[0].to.tag == "one"
    say(200, "two")
    assert session.remote_tag == "two"
    assert [(e.status, e.method) for e in a.got(ReinviteRejected)] == [(481, "UPDATE")]
    late = make_response(network.messages("UPDATE")[0], 200)
    network.deliver(serialise(late), a, proxy.hop)
    assert not a.got(ReinviteAnswered)
    a.do(session.bye(network.now))
    network.run(100)
    assert set(a.agent.counts.values()) == {0}


def test_an_update_of_a_fork_that_loses_is_told_as_withdrawn(network: Any, sdp: bytes) -> None:
    a = network.node("alice", allow=("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"), supported=("100rel",))
    proxy = network.node("proxy")
    network.filter = lambda sender, _: sender is not a
    session = a.call(proxy, body=sdp)
    for status, tag in ((183, "one"), (183, "two")):
        response = make_response(session.request, status, to_tag=tag)
        response.headers.add("Contact", f"<sip:{tag}@192.0.2.1:5070>")
        network.deliver(serialise(response), a, proxy.hop)
    session.early["one"].exchange = Exchange.SETTLED
    update = Request("UPDATE", session.request.uri, session.request.headers.copy(), OTHER)
    update.headers.set("Via", "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKu")
    update.headers.set("From", "<sip:proxy@example.com>;tag=one")
    update.headers.set("To", f"<sip:alice@example.com>;tag={session.local_tag}")
    update.headers.set("CSeq", "1 UPDATE")
    network.deliver(serialise(update), a, proxy.hop)
    assert a.got(Reinvited)[0].to_tag == "one"
    answer = make_response(session.request, 200, to_tag="two")
    answer.headers.add("Contact", "<sip:two@192.0.2.1:5070>")
    network.deliver(serialise(answer), a, proxy.hop)
    assert [event.method for event in a.got(ReinviteCancelled)] == ["UPDATE"]
    assert "487 UPDATE" in network.wire(a)
    a.do(session.bye(network.now))
    network.run(100)
    assert not a.got(Rejected)
    assert set(a.agent.counts.values()) == {0}
