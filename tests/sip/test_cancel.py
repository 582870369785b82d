"""CANCEL, before and after the first answer, and crossing the final one; hanging up before there is an answer."""

from typing import Any

from santral.sip.events import Answered, Cancelled, Progress, Rejected


def test_cancel_while_it_rings(pair: Any) -> None:
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
    pair.assert_over("cancelled", "cancelled")


def test_cancel_waits_for_the_first_provisional_response(pair: Any) -> None:
    pair.caller = pair.a.call(pair.b)
    pair.a.do(pair.caller.cancel(pair.now, headers=[("Reason", "SIP;cause=200")]))
    pair.a.do(pair.caller.cancel(pair.now))  # impatient
    assert pair.network.wire() == ["INVITE"]
    pair.network.run()
    assert pair.network.wire() == ["INVITE", "100 INVITE", "CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    assert not pair.a.got(Progress)
    pair.assert_over("cancelled", "cancelled")


def test_cancel_of_an_invite_that_nobody_answers(pair: Any) -> None:
    pair.network.weather.loss = 1.0
    pair.caller = pair.a.call(pair.b)
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run(40)
    assert "CANCEL" not in pair.network.wire()
    assert pair.terminals()[0] == ["cancelled"]
    pair.network.assert_quiet()


def test_cancel_that_never_arrives_gives_up_after_64_t1(pair: Any) -> None:
    pair.invite()
    pair.network.filter = lambda sender, _: sender is not pair.a
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run(31)
    assert pair.terminals()[0] == []
    pair.network.run(2)
    assert pair.terminals()[0] == ["cancelled"]


def test_cancel_crosses_the_answer(pair: Any) -> None:
    pair.invite()
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run(0.2)
    assert pair.network.wire(pair.a) == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert pair.network.wire(pair.b) == ["100 INVITE", "200 INVITE", "200 CANCEL", "200 BYE"]
    assert [(event.status, event.cause) for event in pair.a.got(Rejected)] == [(487, "cancelled")]
    assert not pair.a.got(Answered)
    pair.assert_over("cancelled", "bye")


def test_held_cancel_meets_an_answer_without_provisional(pair: Any) -> None:
    pair.network.filter = lambda _, message: getattr(message, "status", 0) != 100
    pair.invite()
    pair.a.do(pair.caller.cancel(pair.now))
    pair.b.do(pair.callee.answer(pair.now, body=b"v=0\r\n"))
    pair.network.run(0.2)
    assert pair.network.wire(pair.a) == ["INVITE", "ACK", "BYE"]
    pair.assert_over("cancelled", "bye")


def test_cancel_crosses_a_refusal(pair: Any) -> None:
    pair.invite()
    pair.b.do(pair.callee.reject(486, pair.now))
    pair.a.do(pair.caller.cancel(pair.now))
    pair.network.run()
    assert [(event.status, event.cause) for event in pair.a.got(Rejected)] == [(486, "cancelled")]
    pair.assert_over("cancelled", "local")


def test_hanging_up_before_the_answer_cancels_or_refuses(pair: Any) -> None:
    pair.invite()
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run()
    assert pair.network.wire(pair.a) == ["INVITE", "CANCEL", "ACK"]
    pair.assert_over("cancelled", "cancelled")


def test_hanging_up_on_an_unanswered_caller_refuses(pair: Any) -> None:
    pair.invite()
    pair.b.do(pair.callee.bye(pair.now))
    pair.network.run()
    assert pair.a.got(Rejected)[0].status == 480
    pair.assert_over("response", "local")
