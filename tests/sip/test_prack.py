"""Reliable provisional responses (RFC 3262) from both sides: PRACK, order, repetition, and the 200 that waits."""

from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.events import Ended, IncomingInvite, Pracked, PrackFailed, Progress, Reinvited, Rejected
from santral.sip.message import Request, make_response, serialise
from santral.sip.session import provisionals
from santral.sip.session.provisionals import RELIABLE, Line, Push, Step

ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "INFO", "PRACK")
OTHER = b"v=0\r\ns=other\r\n"


@pytest.fixture
def pair(make_pair: Callable[..., Any]) -> Any:
    """Both sides have 100rel."""
    return make_pair("PRACK", supported=("100rel",))


def lost(*names: str) -> Callable[[Any, Any], bool]:
    """A filter that loses these."""
    return lambda _, m: (m.method if isinstance(m, Request) else f"{m.status} {m.cseq.method}") not in names


def test_a_reliable_response_is_acknowledged_by_itself(pair: Any, sdp: bytes) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    pair.network.run(0.05)
    (progress,) = [event for event in pair.a.got(Progress) if event.response.status == 183]
    assert (progress.is_reliable, progress.is_offer) == (True, False)
    response, (prack,) = progress.response, pair.network.messages("PRACK")
    assert response.headers.get("Require") == "100rel"
    assert prack.headers.get("RAck") == f"{response.headers.get('RSeq')} 1 INVITE"
    assert prack.cseq.number == 2
    assert len(pair.b.got(Pracked)) == 1
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(0.05)
    assert pair.network.wire() == ["INVITE", "100 INVITE", "183 INVITE", "PRACK", "200 PRACK", "200 INVITE", "ACK"]
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_the_answer_waits_for_the_prack_of_a_description(pair: Any, sdp: bytes) -> None:
    pair.invite()
    pair.network.filter = lost("PRACK")
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(0.2)
    assert "200 INVITE" not in pair.network.wire()
    assert pair.callee.state == "answer held"
    pair.network.filter = lost()
    pair.network.run(2)
    assert pair.network.wire(pair.b)[-2:] == ["200 PRACK", "200 INVITE"]
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_the_answer_does_not_wait_for_the_prack_of_nothing_described(pair: Any, sdp: bytes) -> None:
    pair.invite()
    pair.network.filter = lost("PRACK")
    pair.b.do(pair.callee.progress(180, pair.now, reliable=True))
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(0.2)
    assert pair.callee.state == "confirmed"
    pair.network.filter = lost()
    pair.network.run(2)
    assert pair.network.wire(pair.b).count("180 INVITE") == 1  # not repeated after the answer
    assert pair.network.wire(pair.b)[-1] == "200 PRACK"  # and its PRACK is still understood
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_one_at_a_time(pair: Any, sdp: bytes) -> None:
    pair.invite()
    for status, body in ((180, b""), (183, sdp), (182, b"")):
        pair.b.do(pair.callee.progress(status, pair.now, body=body, reliable=True))
    assert pair.network.wire(pair.b) == ["100 INVITE", "180 INVITE"]
    pair.network.run(0.2)
    assert [event.response.status for event in pair.a.got(Progress)] == [100, 180, 183, 182]
    first, second, third = [int(e.response.headers.get("RSeq")) for e in pair.a.got(Progress)[1:]]
    assert (second, third) == (first + 1, first + 2)
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run()
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_lost_response_is_repeated_and_a_repeated_one_told_once(pair: Any) -> None:
    pair.invite()
    fate = iter([False, False])
    pair.network.filter = lambda sender, _: sender is pair.a or next(fate, True)
    pair.b.do(pair.callee.progress(180, pair.now, reliable=True))
    start = pair.now
    pair.network.run(3)
    times = [round(at - start, 3) for at, node, m in pair.network.sent if node is pair.b and "180" in repr(m)]
    assert times == [0, 0.5, 1.5]  # T1, doubling
    pair.network.filter = lost("200 PRACK")
    pair.b.do(pair.callee.progress(183, pair.now, reliable=True))
    pair.network.run(0.1)
    again = pair.network.messages("183 INVITE")[0]
    pair.network.deliver(serialise(again), pair.a, pair.b.hop)
    assert [event.response.status for event in pair.a.got(Progress)] == [100, 180, 183]
    assert len(pair.network.messages("PRACK")) == 2
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.filter = lost()
    pair.assert_over("cancelled", "cancelled")


def test_out_of_order_is_not_heard(pair: Any) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now, reliable=True))
    pair.network.run(0.05)
    later = pair.network.messages("180 INVITE")[0]
    number = int(later.headers.get("RSeq"))
    for skipped in (number + 2, number - 1, number):
        later.headers.set("RSeq", str(skipped))
        pair.network.deliver(serialise(later), pair.a, pair.b.hop)
    assert len(pair.network.messages("PRACK")) == 1
    assert [event.response.status for event in pair.a.got(Progress)] == [100, 180]
    pair.a.do(pair.caller.cancel(pair.now))
    pair.assert_over("cancelled", "cancelled")


def test_no_prack_at_all(pair: Any, sdp: bytes) -> None:
    pair.invite()
    pair.network.filter = lost("PRACK")
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(33)
    assert [event.cause for event in pair.b.got(Ended)] == ["no_prack"]
    assert [event.status for event in pair.a.got(Rejected)] == [504]
    assert [event.status for event in pair.a.got(PrackFailed)] == []  # it ended first
    pair.assert_over("response", "no_prack")


def test_prack_that_acknowledges_nothing(pair: Any) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now, reliable=True))
    pair.network.run(0.05)
    prack = pair.network.messages("PRACK")[0]
    number = 7
    for rack in (prack.headers.get("RAck"), "1 1 INVITE", "x", "1 1", ""):
        number += 1
        prack.headers.set("RAck", rack)
        prack.headers.set("CSeq", f"{number} PRACK")
        prack.headers.set("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number};rport")
        pair.network.deliver(serialise(prack), pair.b, pair.a.hop)
        assert pair.network.wire(pair.b)[-1] == "481 PRACK"
    assert len(pair.b.got(Pracked)) == 1
    pair.a.do(pair.caller.cancel(pair.now))
    pair.assert_over("cancelled", "cancelled")


def test_a_repeated_prack_gets_its_answer_again(pair: Any) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now, reliable=True))
    fate = iter([True, False])
    pair.network.filter = lambda sender, m: sender is pair.a or m.cseq.method != "PRACK" or next(fate, True)
    next(fate)
    pair.network.run(2)
    assert pair.network.wire().count("PRACK") == 2
    assert pair.network.wire().count("200 PRACK") == 2
    assert len(pair.b.got(Pracked)) == 1
    pair.a.do(pair.caller.cancel(pair.now))
    pair.assert_over("cancelled", "cancelled")


def test_a_prack_that_was_overtaken_is_taken_all_the_same(pair: Any) -> None:
    pair.invite()
    pair.network.filter = lost("PRACK")
    pair.b.do(pair.callee.progress(180, pair.now, reliable=True))
    pair.network.run(0.05)
    pair.a.do(pair.caller.send("INFO", pair.now, body=b"x", content_type="text/plain")[1])
    pair.network.run(0.05)
    pair.network.filter = lost()
    pair.network.run(1)
    assert "200 PRACK" in pair.network.wire()
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run(1)
    pair.assert_over("cancelled", "cancelled")


@pytest.mark.parametrize(
    ("supported", "asked", "reliable"),
    [((), True, False), (("100rel",), False, False), (("100rel",), True, True)],
)
def test_only_if_both_want_it(network: Any, supported: tuple[str, ...], asked: bool, reliable: bool) -> None:
    a = network.node("alice", allow=ALLOW, supported=supported)
    b = network.node("bob", allow=ALLOW, supported=("100rel",))
    a.call(b)
    network.run(0.05)
    session = b.got(IncomingInvite)[0].session
    b.do(session.progress(180, network.now, reliable=asked))
    assert ("RSeq" in network.messages("180 INVITE")[0].headers) == reliable


def test_a_peer_that_requires_it_gets_nothing_else(pair: Any, sdp: bytes) -> None:
    pair.invite(headers=[("Require", "100rel")])
    pair.b.do(pair.callee.progress(180, pair.now))
    pair.network.run(0.05)
    assert "PRACK" in pair.network.wire()
    pair.b.do(pair.callee.reject(486, pair.now))
    pair.assert_over("response", "local")


def test_without_100rel_it_is_refused(network: Any) -> None:
    a, b = network.node("alice", allow=ALLOW, supported=("100rel",)), network.node("bob")
    a.call(b, headers=[("Require", "100rel")])
    network.run(0.1)
    (rejected,) = a.got(Rejected)
    assert rejected.status == 420
    assert rejected.response.headers.get("Unsupported") == "100rel"


def test_late_offer_in_a_reliable_response(pair: Any, sdp: bytes) -> None:
    pair.invite(body=b"")
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    pair.network.run(0.05)
    progress = pair.a.got(Progress)[-1]
    assert (progress.is_offer, progress.response.body) == (True, sdp)
    assert "PRACK" not in pair.network.wire()  # the owner owes the answer
    pair.a.do(pair.caller.prack(pair.now, OTHER, progress.to_tag))
    pair.a.do(pair.caller.prack(pair.now, OTHER, progress.to_tag))  # once
    pair.network.run(0.05)
    assert pair.b.got(Pracked)[0].request.body == OTHER
    pair.b.do(pair.callee.answer(pair.now))
    pair.network.run(0.05)
    assert pair.network.wire().count("PRACK") == 1
    assert pair.network.wire()[-1] == "ACK"  # by itself: nothing is left to answer
    assert (pair.caller.state, pair.callee.state) == ("confirmed", "confirmed")
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_an_offer_in_a_prack_is_answered_by_the_owner(pair: Any, sdp: bytes) -> None:
    pair.invite()
    pair.network.filter = lost("PRACK")
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    pair.network.run(0.05)
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    prack = pair.network.messages("PRACK")[0]
    prack.headers.add("Content-Type", "application/sdp")
    prack.body = OTHER
    pair.network.deliver(serialise(prack), pair.b, pair.a.hop)
    (offered,) = pair.b.got(Reinvited)
    assert (offered.method, offered.request.body) == ("PRACK", OTHER)
    assert pair.callee.state == "answer held"
    pair.b.do(pair.callee.accept_reinvite(pair.now, sdp))
    assert pair.network.wire(pair.b)[-2:] == ["200 PRACK", "200 INVITE"]
    assert pair.network.messages("200 PRACK")[0].body == sdp
    pair.network.filter = lost()
    pair.network.run(1)
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


@pytest.mark.parametrize("status", [486, 603])
def test_refusing_while_a_response_is_unacknowledged(pair: Any, sdp: bytes, status: int) -> None:
    pair.invite()
    pair.network.filter = lost("PRACK")
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    pair.b.do(pair.callee.reject(status, pair.now))
    pair.network.run(0.5)
    pair.network.filter = lost()
    pair.assert_over("response", "local")


def test_prack_refused(pair: Any) -> None:
    pair.invite()
    pair.network.filter = lost("PRACK")
    pair.b.do(pair.callee.progress(180, pair.now, reliable=True))
    pair.network.run(0.05)
    prack = pair.network.messages("PRACK")[0]
    pair.network.deliver(serialise(make_response(prack, 403)), pair.a, pair.b.hop)
    assert [(event.to_tag, event.status) for event in pair.a.got(PrackFailed)] == [(pair.callee.local_tag, 403)]
    pair.network.filter = lost()
    pair.a.do(pair.caller.cancel(pair.now))
    pair.assert_over("cancelled", "cancelled")


def test_each_early_dialog_counts_for_itself(network: Any, sdp: bytes) -> None:
    a = network.node("alice", allow=ALLOW, supported=("100rel",))
    proxy = network.node("proxy")
    network.filter = lambda sender, _: sender is not a
    session = a.call(proxy, body=sdp)

    def ring(tag: str, rseq: int) -> None:
        response = make_response(session.request, 183, to_tag=tag)
        for name, value in (("Contact", f"<sip:{tag}@192.0.2.1:5070>"), ("Require", "100rel"), ("RSeq", f"{rseq}")):
            response.headers.add(name, value)
        network.deliver(serialise(response), a, proxy.hop)

    for tag, rseq in (("one", 5), ("two", 900), ("one", 6), ("two", 900), ("two", 902), ("two", 901)):
        ring(tag, rseq)
    assert [(m.to.tag, m.headers.get("RAck"), m.cseq.number) for m in network.messages("PRACK")] == [
        ("one", "5 1 INVITE", 2), ("two", "900 1 INVITE", 2), ("one", "6 1 INVITE", 3), ("two", "901 1 INVITE", 3),
    ]  # fmt: skip
    assert session.early_tags == ("one", "two")
    ring("two", 903)
    gone = make_response(session.request, 199, to_tag="one")
    network.deliver(serialise(gone), a, proxy.hop)
    assert session.early_tags == ("two",)  # RFC 6228


def test_a_caller_is_reminded_every_minute(pair: Any) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now))
    pair.network.run(185)
    assert pair.network.wire(pair.b).count("180 INVITE") == 4  # RFC 3261 13.3.1.1
    pair.b.do(pair.callee.reject(480, pair.now))
    pair.assert_over("response", "local")


def test_the_table_is_walked() -> None:
    assert {step for _, todo in RELIABLE.values() for step in todo} == set(Step) == set(provisionals._PERFORM)
    assert {push for _, push in RELIABLE} == set(Push)
    assert {state for state, _ in RELIABLE.values()} == set(Line)


def test_a_body_nobody_can_read(pair: Any, sdp: bytes) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(183, pair.now, body=sdp, reliable=True))
    broken = pair.network.messages("183 INVITE")[0]
    broken.headers.set("Content-Type", "multipart/mixed")  # without a boundary
    pair.network.deliver(serialise(broken), pair.a, pair.b.hop)
    assert pair.network.wire(pair.a)[-1] == "PRACK"
    assert pair.a.got(Progress)[-1].is_reliable
    prack = pair.network.messages("PRACK")[0]
    prack.headers.set("CSeq", "3 PRACK")
    prack.headers.set("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKbroken")
    prack.headers.add("Content-Type", "multipart/mixed")
    prack.body = b"x"
    pair.network.deliver(serialise(prack), pair.b, pair.a.hop)
    assert pair.network.wire(pair.b)[-1] == "400 PRACK"
    pair.a.do(pair.caller.cancel(pair.now))
    pair.assert_over("cancelled", "cancelled")
