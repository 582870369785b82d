"""The plain course of a call, and its crossings: lost ACKs, late offers, BYE and BYE."""

from typing import Any

import pytest

from santral.sip.agent import Timers
from santral.sip.events import Acknowledged, Answered, Ended, IncomingInvite, Rejected
from santral.sip.message import Request, make_response, serialise

# -- the plain course --------------------------------------------------------------------------------------------------


def test_a_call(pair: Any) -> None:
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
    pair.assert_over("local", "bye")


def test_the_called_side_hangs_up(pair: Any) -> None:
    pair.establish()
    pair.b.do(pair.callee.bye(pair.now, headers=[("Reason", "Q.850;cause=16")]))
    pair.network.run()
    assert pair.a.events[-1].request.headers.get("Reason") == "Q.850;cause=16"
    pair.assert_over("bye", "local")


@pytest.mark.parametrize("status", [302, 404, 486, 503, 600])
def test_a_refusal(pair: Any, status: int) -> None:
    pair.invite()
    pair.b.do(pair.callee.reject(status, pair.now))
    pair.network.run()
    (rejected,) = pair.a.got(Rejected)
    assert (rejected.status, rejected.response.status) == (status, status)
    assert pair.network.wire()[-2:] == [f"{status} INVITE", "ACK"]
    pair.assert_over("response", "local")


def test_nobody_there(pair: Any) -> None:
    pair.network.weather.loss = 1.0
    pair.a.call(pair.b)
    pair.network.run(33)
    assert [(event.status, event.cause, event.response) for event in pair.a.got(Rejected)] == [(408, "timeout", None)]
    pair.network.assert_quiet()


def test_unreachable(pair: Any) -> None:
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


def test_the_owner_may_act_from_inside_an_event(pair: Any, sdp: bytes) -> None:
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
    pair.assert_over("bye", "local")


# -- 2xx and ACK -------------------------------------------------------------------------------------------------------


def test_a_lost_2xx_is_repeated(pair: Any) -> None:
    pair.invite()
    lost = iter([False, False])
    pair.network.filter = lambda sender, message: sender is pair.a or next(lost, True)
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(3)
    assert pair.network.wire(pair.b)[-3:] == ["200 INVITE"] * 3
    assert len(pair.b.got(Acknowledged)) == 1
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_lost_ack_is_sent_again_for_each_2xx(pair: Any) -> None:
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
    pair.assert_over("local", "bye")


def test_a_2xx_long_after_its_transaction_is_still_acknowledged(pair: Any) -> None:
    pair.establish()
    pair.network.run(100)
    assert not pair.a.agent.counts["client_transactions"]
    invite = pair.caller.request
    late = make_response(invite, 200, to_tag=pair.callee.local_tag)
    pair.network.deliver(serialise(late), pair.a, pair.b.hop)
    assert pair.network.wire() == ["ACK"]
    assert len(pair.a.got(Answered)) == 1


def test_a_2xx_after_the_end_of_the_session_is_acknowledged_and_nothing_else(pair: Any) -> None:
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
    pair.assert_over("local", "bye")


def test_no_ack_at_all(pair: Any) -> None:
    pair.invite()
    pair.network.filter = lambda _, message: getattr(message, "method", "") != "ACK"
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(40)
    pair.assert_over("bye", "no_ack")


def test_hanging_up_before_the_ack_waits_for_it(pair: Any) -> None:
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
    pair.assert_over("bye", "local")


def test_the_caller_hangs_up_before_its_ack_arrives(pair: Any) -> None:
    pair.invite()
    pair.network.filter = lambda _, message: getattr(message, "method", "") != "ACK"
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(0.1)
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(1)
    assert pair.network.wire(pair.b).count("200 INVITE") == 1  # BYE ends the repetition
    pair.assert_over("local", "bye")


def test_late_offer(pair: Any, sdp: bytes) -> None:
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
    pair.assert_over("local", "bye")


def test_late_offer_that_is_given_up_is_acknowledged_and_ended(pair: Any, sdp: bytes) -> None:
    pair.invite(body=b"")
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(0.1)
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(0.1)
    assert pair.network.wire(pair.a) == ["INVITE", "ACK", "BYE"]
    pair.assert_over("local", "bye")


# -- BYE ---------------------------------------------------------------------------------------------------------------


def test_bye_crosses_bye(pair: Any) -> None:
    pair.establish()
    pair.a.do(pair.caller.bye(pair.now))
    pair.b.do(pair.callee.bye(pair.now))
    pair.network.run()
    assert sorted(pair.network.wire()) == ["200 BYE", "200 BYE", "BYE", "BYE"]
    pair.assert_over("local", "local")


def test_a_lost_bye_is_repeated_and_its_answer_too(pair: Any) -> None:
    pair.establish()
    fate = iter([False, True, False])  # BYE lost, BYE, 200 lost, ...
    pair.network.filter = lambda *_: next(fate, True)
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(10)
    assert pair.network.wire() == ["BYE", "BYE", "200 BYE", "BYE", "200 BYE"]
    pair.assert_over("local", "bye")


def test_bye_to_a_peer_that_is_gone_ends_after_64_t1(pair: Any) -> None:
    pair.establish()
    pair.network.weather.loss = 1.0
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(40)
    assert pair.a.agent.counts["sessions"] == 0
    assert pair.terminals()[0] == ["local"]
