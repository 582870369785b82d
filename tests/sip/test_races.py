"""Crossings, made to happen: CANCEL and 200, BYE and BYE, re-INVITE and BYE, glare, forks, lost ACKs, late offers."""

from typing import Any

import pytest

from santral.sip.agent import Timers
from santral.sip.events import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    Hop,
    IncomingInvite,
    InDialog,
    Progress,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteCancelled,
    Reinvited,
    ReinviteRejected,
    Rejected,
)
from santral.sip.message import Request, make_response, serialise


class Pair:
    """A caller and a callee in the state a test begins in."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.a = network.node("alice")
        self.b = network.node("bob")
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

    def finish(self, caller: str, callee: str) -> None:
        """One terminal event on each side, and nothing left behind."""
        self.network.assert_quiet()
        assert self.terminals() == ([caller], [callee])
        assert self.network.nodes[5060].agent.counters["malformed"] == 0


@pytest.fixture
def pair(network: Any) -> Pair:
    return Pair(network)


# -- the plain course --------------------------------------------------------------------------------------------------


def test_a_call(pair: Pair) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now))
    pair.network.run()
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(1)
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run()
    assert pair.network.wire() == [
        "INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE",
    ]  # fmt: skip
    assert pair.a.kinds() == ["Progress", "Answered", "Ended"]
    assert pair.b.kinds() == ["IncomingInvite", "Acknowledged", "Ended"]
    pair.finish("local", "bye")


def test_the_called_side_hangs_up(pair: Pair) -> None:
    pair.establish()
    pair.b.do(pair.callee.bye(pair.now, headers=[("Reason", "Q.850;cause=16")]))
    pair.network.run()
    assert pair.a.events[-1].request.headers.get("Reason") == "Q.850;cause=16"
    pair.finish("bye", "local")


@pytest.mark.parametrize("status", [302, 404, 486, 503, 600])
def test_a_refusal(pair: Pair, status: int) -> None:
    pair.invite()
    pair.b.do(pair.callee.reject(status, pair.now))
    pair.network.run()
    (rejected,) = pair.a.got(Rejected)
    assert (rejected.status, rejected.response.status) == (status, status)
    assert pair.network.wire()[-2:] == [f"{status} INVITE", "ACK"]
    pair.finish("response", "local")


def test_nobody_there(pair: Pair) -> None:
    pair.network.weather.loss = 1.0
    pair.a.call(pair.b)
    pair.network.run(33)
    assert [(event.status, event.cause, event.response) for event in pair.a.got(Rejected)] == [(408, "timeout", None)]
    pair.network.assert_quiet()


def test_unreachable(pair: Pair) -> None:
    pair.a.call(pair.b)
    pair.a.do(pair.a.agent.send_failed(pair.b.hop, pair.now))
    assert [(event.status, event.cause) for event in pair.a.got(Rejected)] == [(503, "unreachable")]


def test_timers_can_be_changed(network: Any) -> None:
    network.weather.loss = 1.0
    a, b = network.node("alice", timers=Timers(t1=0.1)), network.node("bob")
    a.call(b)
    network.run(6.5)
    assert a.got(Rejected)[0].cause == "timeout"
    assert network.wire() == ["INVITE"] * 7


# -- CANCEL ------------------------------------------------------------------------------------------------------------


def test_cancel_while_it_rings(pair: Pair) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now))
    pair.network.run()
    pair.a.do(pair.caller.cancel(pair.now, headers=[("Reason", "SIP;cause=200")]))
    pair.network.run()
    assert pair.network.wire()[3:] == ["CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    assert pair.b.got(Cancelled)[0].request.headers.get("Reason") == "SIP;cause=200"
    assert [(event.status, event.cause) for event in pair.a.got(Rejected)] == [(487, "cancelled")]
    invite, cancel = pair.network.messages("INVITE")[0], pair.network.messages("CANCEL")[0]
    assert (cancel.via, cancel.uri, cancel.call_id, cancel.cseq.number) == (invite.via, invite.uri, invite.call_id, 1)
    assert cancel.to.tag is None
    pair.finish("cancelled", "cancelled")


def test_cancel_waits_for_the_first_provisional_response(pair: Pair) -> None:
    pair.caller = pair.a.call(pair.b)
    pair.a.do(pair.caller.cancel(pair.now, headers=[("Reason", "SIP;cause=200")]))
    pair.a.do(pair.caller.cancel(pair.now))  # impatient
    assert pair.network.wire() == ["INVITE"]
    pair.network.run()
    assert pair.network.wire() == ["INVITE", "100 INVITE", "CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    assert not pair.a.got(Progress)
    pair.finish("cancelled", "cancelled")


def test_cancel_of_an_invite_that_nobody_answers(pair: Pair) -> None:
    pair.network.weather.loss = 1.0
    pair.caller = pair.a.call(pair.b)
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run(40)
    assert "CANCEL" not in pair.network.wire()
    assert pair.terminals()[0] == ["cancelled"]
    pair.network.assert_quiet()


def test_cancel_that_never_arrives_gives_up_after_64_t1(pair: Pair) -> None:
    pair.invite()
    pair.network.filter = lambda sender, _: sender is not pair.a
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run(31)
    assert pair.terminals()[0] == []
    pair.network.run(2)
    assert pair.terminals()[0] == ["cancelled"]


def test_cancel_crosses_the_answer(pair: Pair) -> None:
    pair.invite()
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run(0.2)
    assert pair.network.wire(pair.a) == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert pair.network.wire(pair.b) == ["100 INVITE", "200 INVITE", "200 CANCEL", "200 BYE"]
    assert [(event.status, event.cause) for event in pair.a.got(Rejected)] == [(487, "cancelled")]
    assert not pair.a.got(Answered)
    pair.finish("cancelled", "bye")


def test_held_cancel_meets_an_answer_without_provisional(pair: Pair) -> None:
    pair.network.filter = lambda _, message: getattr(message, "status", 0) != 100
    pair.invite()
    pair.a.do(pair.caller.cancel(pair.now))
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(0.2)
    assert pair.network.wire(pair.a) == ["INVITE", "ACK", "BYE"]
    pair.finish("cancelled", "bye")


def test_cancel_crosses_a_refusal(pair: Pair) -> None:
    pair.invite()
    pair.b.do(pair.callee.reject(486, pair.now))
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run()
    assert [(event.status, event.cause) for event in pair.a.got(Rejected)] == [(486, "cancelled")]
    pair.finish("cancelled", "local")


def test_hanging_up_before_the_answer_cancels_or_refuses(pair: Pair) -> None:
    pair.invite()
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run()
    assert pair.network.wire(pair.a) == ["INVITE", "CANCEL", "ACK"]
    pair.finish("cancelled", "cancelled")


def test_hanging_up_on_an_unanswered_caller_refuses(pair: Pair) -> None:
    pair.invite()
    pair.b.do(pair.callee.bye(pair.now))
    pair.network.run()
    assert pair.a.got(Rejected)[0].status == 480
    pair.finish("response", "local")


# -- 2xx and ACK -------------------------------------------------------------------------------------------------------


def test_a_lost_2xx_is_repeated(pair: Pair) -> None:
    pair.invite()
    lost = iter([False, False])
    pair.network.filter = lambda sender, message: sender is pair.a or next(lost, True)
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(3)
    assert pair.network.wire(pair.b)[-3:] == ["200 INVITE"] * 3
    assert len(pair.b.got(Acknowledged)) == 1
    pair.a.do(pair.caller.bye(pair.now))
    pair.finish("local", "bye")


def test_a_lost_ack_is_sent_again_for_each_2xx(pair: Pair) -> None:
    pair.invite()
    pair.network.filter = lambda _, message: getattr(message, "method", "") != "ACK"
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(2)
    acks = pair.network.messages("ACK")
    assert len(acks) == len(pair.network.messages("200 INVITE")) == 3
    assert len(pair.a.got(Answered)) == 1
    pair.network.filter = lambda *_: True
    pair.network.run(3)
    assert pair.callee.state == "confirmed"
    pair.a.do(pair.caller.bye(pair.now))
    pair.finish("local", "bye")


def test_a_2xx_long_after_its_transaction_is_still_acknowledged(pair: Pair) -> None:
    pair.establish()
    pair.network.run(100)
    assert not pair.a.agent.counts["client_transactions"]
    invite = pair.caller.request
    late = make_response(invite, 200, to_tag=pair.callee.local_tag)
    pair.network.deliver(serialise(late), pair.a, pair.b.hop)
    assert pair.network.wire() == ["ACK"]
    assert len(pair.a.got(Answered)) == 1


def test_a_2xx_after_the_end_of_the_session_is_acknowledged_and_nothing_else(pair: Pair) -> None:
    pair.establish()
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run()
    assert pair.a.agent.counts["sessions"] == 0
    late = make_response(pair.caller.request, 200, to_tag=pair.callee.local_tag)
    late.headers.add("Contact", "<sip:192.0.2.1:5070>")
    pair.network.sent.clear()
    for _ in range(3):
        pair.network.deliver(serialise(late), pair.a, pair.b.hop)
    assert pair.network.wire(pair.a) == ["ACK"] * 3
    pair.finish("local", "bye")


def test_no_ack_at_all(pair: Pair) -> None:
    pair.invite()
    pair.network.filter = lambda _, message: getattr(message, "method", "") != "ACK"
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(40)
    pair.finish("bye", "no_ack")


def test_hanging_up_before_the_ack_waits_for_it(pair: Pair) -> None:
    pair.invite()
    held = []
    pair.network.filter = lambda _, message: (
        not (isinstance(message, Request) and message.method == "ACK" and not held.append(message))
    )
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(0.1)
    pair.b.do(pair.callee.bye(pair.now))
    assert pair.b.events[-1] == Ended(pair.callee, "local", None)
    pair.network.run(0.1)
    assert "BYE" not in pair.network.wire()  # RFC 3261 section 15
    pair.network.filter = lambda *_: True
    pair.network.run(1)
    assert pair.network.wire(pair.b)[-1] == "BYE"
    pair.finish("bye", "local")


def test_the_caller_hangs_up_before_its_ack_arrives(pair: Pair) -> None:
    pair.invite()
    pair.network.filter = lambda _, message: getattr(message, "method", "") != "ACK"
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(0.1)
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(1)
    assert pair.network.wire(pair.b).count("200 INVITE") == 1  # BYE ends the repetition
    pair.finish("local", "bye")


def test_late_offer(pair: Pair, sdp: bytes) -> None:
    pair.invite(body=b"")
    assert pair.callee.request.body == b""
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(0.7)
    assert pair.a.got(Answered)[0].response.body == sdp
    assert "ACK" not in pair.network.wire()  # the owner owes it
    assert pair.network.wire(pair.b).count("200 INVITE") == 2
    pair.a.do(pair.caller.ack(pair.now, sdp))
    pair.network.run(0.1)
    assert pair.b.got(Acknowledged)[0].request.body == sdp
    assert pair.b.got(Acknowledged)[0].request.content_type == "application/sdp"
    assert pair.caller.ack(pair.now, sdp) == []  # once
    pair.a.do(pair.caller.bye(pair.now))
    pair.finish("local", "bye")


def test_late_offer_that_is_given_up_is_acknowledged_and_ended(pair: Pair, sdp: bytes) -> None:
    pair.invite(body=b"")
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(0.1)
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(0.1)
    assert pair.network.wire(pair.a) == ["INVITE", "ACK", "BYE"]
    pair.finish("local", "bye")


# -- BYE ---------------------------------------------------------------------------------------------------------------


def test_bye_crosses_bye(pair: Pair) -> None:
    pair.establish()
    pair.a.do(pair.caller.bye(pair.now))
    pair.b.do(pair.callee.bye(pair.now))
    pair.network.run()
    assert sorted(pair.network.wire()) == ["200 BYE", "200 BYE", "BYE", "BYE"]
    pair.finish("local", "local")


def test_a_lost_bye_is_repeated_and_its_answer_too(pair: Pair) -> None:
    pair.establish()
    fate = iter([False, True, False])  # BYE lost, BYE, 200 lost, ...
    pair.network.filter = lambda *_: next(fate, True)
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(10)
    assert pair.network.wire() == ["BYE", "BYE", "200 BYE", "BYE", "200 BYE"]
    pair.finish("local", "bye")


def test_bye_to_a_peer_that_is_gone_ends_after_64_t1(pair: Pair) -> None:
    pair.establish()
    pair.network.weather.loss = 1.0
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(40)
    assert pair.a.agent.counts["sessions"] == 0
    assert pair.terminals()[0] == ["local"]


# -- re-INVITE ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_caller", [True, False])
def test_reinvite_both_ways(pair: Pair, sdp: bytes, by_caller: bool) -> None:
    pair.establish()
    us, them, ours, theirs = (
        (pair.a, pair.b, pair.caller, pair.callee) if by_caller else (pair.b, pair.a, pair.callee, pair.caller)
    )
    us.do(ours.reinvite(pair.now, sdp))
    pair.network.run()
    assert them.got(Reinvited)[0].request.body == sdp
    them.do(theirs.accept_reinvite(pair.now, sdp))
    pair.network.run()
    assert us.got(ReinviteAnswered)[0].response.body == sdp
    assert len(them.got(ReinviteAcknowledged)) == 1
    assert pair.network.wire() == ["INVITE", "100 INVITE", "200 INVITE", "ACK"]
    us.do(ours.reinvite(pair.now, sdp))
    pair.network.run()
    them.do(theirs.reject_reinvite(488, pair.now))
    pair.network.run()
    assert us.got(ReinviteRejected)[0].status == 488
    assert (ours.state, theirs.state) == ("confirmed", "confirmed")
    us.do(ours.bye(pair.now))
    pair.network.assert_quiet()


def test_reinvite_without_an_offer(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.b.do(pair.callee.reinvite(pair.now))
    pair.network.run()
    pair.a.do(pair.caller.accept_reinvite(pair.now, sdp))
    pair.network.run(0.7)
    assert "ACK" not in pair.network.wire()
    pair.b.do(pair.callee.ack(pair.now, sdp))
    pair.network.run()
    assert pair.a.got(ReinviteAcknowledged)[0].request.body == sdp
    pair.a.do(pair.caller.bye(pair.now))
    pair.finish("local", "bye")


def test_glare(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.b.do(pair.callee.reinvite(pair.now, sdp))
    pair.network.run()
    for node in (pair.a, pair.b):
        assert [event.status for event in node.got(ReinviteRejected)] == [491]
        assert not node.got(Reinvited)
    pair.a.do(pair.caller.reinvite(pair.now, sdp))  # later, by the owner's choice
    pair.network.run()
    assert len(pair.b.got(Reinvited)) == 1
    pair.b.do(pair.callee.accept_reinvite(pair.now, sdp))
    pair.network.run()
    pair.a.do(pair.caller.bye(pair.now))
    pair.finish("local", "bye")


def test_a_change_of_ours_while_theirs_is_pending_is_refused_at_once(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.b.do(pair.callee.reinvite(pair.now, sdp))
    for node in (pair.a, pair.b):
        assert [(event.status, event.response) for event in node.got(ReinviteRejected)] == [(491, None)]
    assert pair.network.wire() == ["INVITE", "100 INVITE"]
    pair.a.do(pair.caller.bye(pair.now))
    pair.finish("local", "bye")


def test_reinvite_crosses_bye(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.bye(pair.now))
    pair.b.do(pair.callee.reinvite(pair.now, sdp))
    pair.network.run()
    assert "481 INVITE" in pair.network.wire(pair.a)
    assert not pair.b.got(ReinviteRejected)  # it ended first
    pair.finish("local", "bye")


def test_bye_while_a_reinvite_waits_for_its_answer(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run()
    assert pair.network.wire(pair.b)[-2:] == ["200 BYE", "487 INVITE"]
    assert pair.callee.accept_reinvite(pair.now, sdp) == []
    pair.finish("local", "bye")


def test_the_side_that_owes_the_answer_hangs_up(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.b.do(pair.callee.bye(pair.now))
    pair.network.run()
    assert pair.network.wire(pair.b)[-2:] == ["487 INVITE", "BYE"]
    pair.network.assert_quiet()
    assert pair.terminals() == (["bye"], ["local"])


def test_bye_crosses_the_answer_to_a_reinvite(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.b.do(pair.callee.accept_reinvite(pair.now, sdp))
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(3)
    assert pair.network.wire(pair.a)[-2:] == ["BYE", "ACK"]  # acknowledged although the session is over
    assert pair.network.wire().count("BYE") == 1
    pair.finish("local", "bye")


def test_cancel_of_a_reinvite(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run()
    assert len(pair.b.got(ReinviteCancelled)) == 1
    assert [event.status for event in pair.a.got(ReinviteRejected)] == [487]
    assert (pair.caller.state, pair.callee.state) == ("confirmed", "confirmed")
    pair.a.do(pair.caller.bye(pair.now))
    pair.finish("local", "bye")


def test_an_answer_to_a_reinvite_that_is_never_acknowledged_ends_the_session(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.network.filter = lambda _, message: getattr(message, "method", "") != "ACK"
    pair.b.do(pair.callee.accept_reinvite(pair.now, sdp))
    pair.network.run(40)
    pair.finish("bye", "no_ack")


@pytest.mark.parametrize("status", [481, 408])
def test_a_reinvite_that_finds_nobody_ends_the_session(pair: Pair, sdp: bytes, status: int) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.b.do(pair.callee.reject_reinvite(status, pair.now))
    pair.network.run()
    assert [event.status for event in pair.a.got(ReinviteRejected)] == [status]
    assert pair.a.events[-1] == Ended(pair.caller, "lost", None)
    assert ("BYE" in pair.network.wire(pair.a)) == (status == 408)


def test_a_reinvite_into_silence_ends_the_session(pair: Pair, sdp: bytes) -> None:
    pair.establish()
    pair.network.weather.loss = 1.0
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run(33)
    assert pair.a.kinds()[-2:] == ["ReinviteRejected", "Ended"]
    assert pair.a.events[-1].cause == "lost"
    pair.network.run(40)
    assert set(pair.a.agent.counts.values()) == {0}


def test_a_reinvite_that_overtakes_the_ack_is_put_off(pair: Pair, sdp: bytes) -> None:
    pair.invite()
    held: list[Any] = []
    pair.network.filter = lambda _, m: (
        not (isinstance(m, Request) and m.method == "ACK" and not held and not held.append(m))
    )
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(0.05)
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run(0.05)
    assert [event.status for event in pair.a.got(ReinviteRejected)] == [491]
    pair.network.run(1)
    assert pair.callee.state == "confirmed"
    assert pair.b.do(pair.callee.bye(pair.now)) is None
    pair.finish("bye", "local")


# -- forks -------------------------------------------------------------------------------------------------------------


class Fork:
    """A proxy that forks: one INVITE of ours, answers of several phones."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.a = network.node("alice")
        self.proxy = Hop("udp", "192.0.2.1", 9999, "lan")
        self.sink = type("Sink", (), {"name": "proxy", "hop": self.proxy})()
        self.session = self.a.call(self.sink)

    def answer(self, status: int, tag: str, invite: Any = None) -> None:
        response = make_response(invite or self.session.request, status, to_tag=tag or None)
        response.headers.add("Contact", f"<sip:{tag or None}@192.0.2.1:9999>")
        self.network.deliver(serialise(response), self.a, self.proxy)

    def sent(self) -> list[tuple[str, str]]:
        return [(message.method, message.to.tag) for _, _, message in self.network.sent[1:]]


@pytest.fixture
def fork(network: Any) -> Fork:
    return Fork(network)


def test_early_dialogs_with_several_tags(fork: Fork) -> None:
    fork.answer(100, "")
    for tag in ("one", "two", "one"):
        fork.answer(183, tag)
    assert [(event.response.status, event.to_tag) for event in fork.a.got(Progress)] == [
        (100, ""), (183, "one"), (183, "two"), (183, "one"),
    ]  # fmt: skip
    assert fork.session.remote_tag is None
    fork.answer(200, "two")
    assert fork.session.remote_tag == "two"
    assert fork.sent() == [("ACK", "two")]


def test_a_request_on_one_of_several_early_dialogs(fork: Fork) -> None:
    fork.answer(183, "one")
    fork.answer(183, "two")
    for tag, cseq in (("one", 1), ("two", 1), ("three", 1)):
        request = Request("INFO", fork.session.request.uri, fork.session.request.headers.copy())
        request.headers.set("Via", f"SIP/2.0/UDP 192.0.2.1:9999;branch=z9hG4bK{tag}")
        request.headers.set("From", f"<sip:proxy@example.com>;tag={tag}")
        request.headers.set("To", f"<sip:alice@example.com>;tag={fork.session.local_tag}")
        request.headers.set("CSeq", f"{cseq} INFO")
        fork.network.deliver(serialise(request), fork.a, fork.proxy)
    assert [event.request.from_.tag for event in fork.a.got(InDialog)] == ["one", "two"]
    assert fork.network.wire()[-1] == "481 INFO"


def test_the_second_answer_of_a_fork_is_acknowledged_and_ended(fork: Fork) -> None:
    fork.answer(200, "one")
    fork.answer(200, "two")
    assert fork.sent() == [("ACK", "one"), ("ACK", "two"), ("BYE", "two")]
    fork.answer(200, "two")
    fork.answer(200, "one")
    assert fork.sent()[3:] == [("ACK", "two"), ("ACK", "one")]
    assert len(fork.a.got(Answered)) == 1
    assert fork.session.state == "confirmed"
    assert fork.session.remote_tag == "one"
    assert fork.a.agent.counters["extra_answers"] == 1


def test_the_second_answer_of_a_fork_after_the_session(fork: Fork) -> None:
    fork.answer(200, "one")
    fork.a.do(fork.session.bye(0.0))
    bye = fork.network.sent[-1][2]
    fork.answer(200, "one", bye)
    assert fork.a.agent.counts["sessions"] == 0
    fork.answer(200, "two")
    assert fork.sent()[-2:] == [("ACK", "two"), ("BYE", "two")]
    fork.network.run(100)
    assert set(fork.a.agent.counts.values()) == {0}


def test_a_cancelled_fork_answers_twice(fork: Fork) -> None:
    fork.answer(180, "one")
    fork.a.do(fork.session.cancel(0.0))
    fork.answer(200, "one")
    fork.answer(200, "two")
    assert [name for name, _ in fork.sent()] == ["CANCEL", "ACK", "BYE", "ACK", "BYE"]
    assert [event.cause for event in fork.a.got(Rejected)] == ["cancelled"]
    fork.network.run(100)
    assert set(fork.a.agent.counts.values()) == {0}


def test_the_owner_may_act_from_inside_an_event(pair: Pair, sdp: bytes) -> None:
    """The engine reacts while it still walks the list of actions."""

    def callee(event: Any) -> None:
        if isinstance(event, IncomingInvite):
            pair.b.do(event.session.progress(180, pair.now))
            pair.b.do(event.session.answer(pair.now, body=sdp))
        elif isinstance(event, Acknowledged):
            pair.b.do(event.session.bye(pair.now))

    pair.b.react = callee
    pair.caller = pair.a.call(pair.b)
    pair.network.run(1)
    pair.finish("bye", "local")


@pytest.mark.parametrize("heard", ["100", "nothing", "100 after the end"])
def test_a_change_that_is_never_answered_goes_with_its_session(pair: Pair, sdp: bytes, heard: str) -> None:
    pair.establish()
    if heard != "100":
        pair.network.filter = lambda _, message: getattr(message, "status", 0) != 100
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    reinvite = pair.network.messages("INVITE")[0]
    pair.network.run()
    pair.network.filter = lambda sender, message: sender is pair.a or message.cseq.method == "BYE"
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run()
    if heard == "100 after the end":
        pair.network.deliver(serialise(make_response(reinvite, 100)), pair.a, pair.b.hop)
    pair.network.run(33)
    assert set(pair.a.agent.counts.values()) == {0}
    pair.finish("local", "bye")
