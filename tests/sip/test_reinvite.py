"""re-INVITE both ways, its crossings with BYE, with another one and with CANCEL, and what ends a session."""

from typing import Any

import pytest

from santral.sip.events import (
    Ended,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteCancelled,
    Reinvited,
    ReinviteRejected,
)
from santral.sip.message import Request, make_response, serialise


@pytest.mark.parametrize("by_caller", [True, False])
def test_reinvite_both_ways(pair: Any, sdp: bytes, by_caller: bool) -> None:
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


def test_reinvite_without_an_offer(pair: Any, sdp: bytes) -> None:
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
    pair.assert_over("local", "bye")


def test_glare(pair: Any, sdp: bytes) -> None:
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
    pair.assert_over("local", "bye")


def test_a_change_of_ours_while_theirs_is_pending_is_refused_at_once(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.b.do(pair.callee.reinvite(pair.now, sdp))
    for node in (pair.a, pair.b):
        assert [(event.status, event.response) for event in node.got(ReinviteRejected)] == [(491, None)]
    assert pair.network.wire() == ["INVITE", "100 INVITE"]
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_reinvite_crosses_bye(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.bye(pair.now))
    pair.b.do(pair.callee.reinvite(pair.now, sdp))
    pair.network.run()
    assert "481 INVITE" in pair.network.wire(pair.a)
    assert not pair.b.got(ReinviteRejected)  # it ended first
    pair.assert_over("local", "bye")


def test_bye_while_a_reinvite_waits_for_its_answer(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run()
    assert pair.network.wire(pair.b)[-2:] == ["200 BYE", "487 INVITE"]
    assert pair.callee.accept_reinvite(pair.now, sdp) == []
    pair.assert_over("local", "bye")


def test_the_side_that_owes_the_answer_hangs_up(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.b.do(pair.callee.bye(pair.now))
    pair.network.run()
    assert pair.network.wire(pair.b)[-2:] == ["487 INVITE", "BYE"]
    pair.network.assert_quiet()
    assert pair.terminals() == (["bye"], ["local"])


def test_bye_crosses_the_answer_to_a_reinvite(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.b.do(pair.callee.accept_reinvite(pair.now, sdp))
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(3)
    assert pair.network.wire(pair.a)[-2:] == ["BYE", "ACK"]  # acknowledged although the session is over
    assert pair.network.wire().count("BYE") == 1
    pair.assert_over("local", "bye")


def test_cancel_of_a_reinvite(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run()
    assert len(pair.b.got(ReinviteCancelled)) == 1
    assert [event.status for event in pair.a.got(ReinviteRejected)] == [487]
    assert (pair.caller.state, pair.callee.state) == ("confirmed", "confirmed")
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_an_answer_to_a_reinvite_that_is_never_acknowledged_ends_the_session(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.network.filter = lambda _, message: getattr(message, "method", "") != "ACK"
    pair.b.do(pair.callee.accept_reinvite(pair.now, sdp))
    pair.network.run(40)
    pair.assert_over("bye", "no_ack")


@pytest.mark.parametrize("status", [481, 408])
def test_a_reinvite_that_finds_nobody_ends_the_session(pair: Any, sdp: bytes, status: int) -> None:
    pair.establish()
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run()
    pair.b.do(pair.callee.reject_reinvite(status, pair.now))
    pair.network.run()
    assert [event.status for event in pair.a.got(ReinviteRejected)] == [status]
    assert pair.a.events[-1] == Ended(pair.caller, "lost", None)
    assert ("BYE" in pair.network.wire(pair.a)) == (status == 408)


def test_a_reinvite_into_silence_ends_the_session(pair: Any, sdp: bytes) -> None:
    pair.establish()
    pair.network.weather.loss = 1.0
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run(33)
    assert pair.a.kinds()[-2:] == ["ReinviteRejected", "Ended"]
    assert pair.a.events[-1].cause == "lost"
    pair.network.run(40)
    assert set(pair.a.agent.counts.values()) == {0}


def test_a_reinvite_that_overtakes_the_ack_is_put_off(pair: Any, sdp: bytes) -> None:
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
    pair.assert_over("bye", "local")


@pytest.mark.parametrize("heard", ["100", "nothing", "100 after the end"])
def test_a_change_that_is_never_answered_goes_with_its_session(pair: Any, sdp: bytes, heard: str) -> None:
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
    pair.assert_over("local", "bye")
