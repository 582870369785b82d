"""Session timers (RFC 4028): who refreshes, with what, 422, and the end of a session that nobody refreshes."""

from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.events import Ended, Refreshed, ReinviteAnswered, Reinvited, ReinviteRejected, Rejected
from santral.sip.message import Request, Response
from santral.sip.session import SessionTimer, watch
from santral.sip.session.values import SessionExpires
from santral.sip.session.watch import WATCH, Duty, Stir, Task

TIMER = SessionTimer(1800, 90)


@pytest.fixture
def pair(make_pair: Callable[..., Any]) -> Any:
    """Both sides have timers and UPDATE."""
    return make_pair("UPDATE", supported=("timer",))


def connect(pair: Any, sdp: bytes, ours: SessionTimer | None = TIMER, theirs: Any = None, **more: Any) -> None:
    pair.invite(session_timer=ours, **more)
    pair.callee.session_timer = theirs
    pair.b.do(pair.callee.answer(pair.now, body=sdp))
    pair.network.run(0.05)
    assert (pair.caller.state, pair.callee.state) == ("confirmed", "confirmed")


def expires(message: Request | Response) -> str | None:
    return message.headers.get("Session-Expires")


def answer_changes(node: Any, network: Any, sdp: bytes) -> None:
    node.react = lambda event: (
        node.do(event.session.accept_reinvite(network.now, sdp)) if isinstance(event, Reinvited) else None
    )


def test_the_caller_asks_and_refreshes(pair: Any, sdp: bytes) -> None:
    connect(pair, sdp)
    invite, answer = pair.network.messages("INVITE")[0], pair.network.messages("200 INVITE")[0]
    assert (expires(invite), invite.headers.get("Min-SE")) == ("1800", "90")
    assert "timer" in (invite.headers.get("Supported") or "")
    assert (expires(answer), answer.headers.get("Require")) == ("1800;refresher=uac", "timer")
    assert (pair.caller.timer_state, pair.callee.timer_state) == ("ours", "theirs")
    pair.network.sent.clear()
    pair.network.run(3 * 900 + 10)
    assert pair.network.wire() == ["UPDATE", "200 UPDATE"] * 3
    update = pair.network.messages("UPDATE")[0]
    assert (update.body, expires(update)) == (b"", "1800;refresher=uac")
    assert len(pair.a.got(Refreshed)) == len(pair.b.got(Refreshed)) == 3
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_the_called_side_may_ask_alone(pair: Any, sdp: bytes) -> None:
    connect(pair, sdp, None, SessionTimer(600))
    answer = pair.network.messages("200 INVITE")[0]
    assert expires(answer) == "600;refresher=uas"
    assert (pair.caller.timer_state, pair.callee.timer_state) == ("theirs", "ours")
    pair.network.sent.clear()
    pair.network.run(310)
    assert pair.network.wire(pair.b) == ["UPDATE"]
    assert expires(pair.network.messages("UPDATE")[0]) == "600;refresher=uac"  # seen from this request
    pair.b.do(pair.callee.bye(pair.now))
    pair.assert_over("bye", "local")


@pytest.mark.parametrize(("asked", "wanted", "agreed"), [(1800, 600, 600), (600, 1800, 600), (1800, 10, 90)])
def test_the_called_side_may_shorten_never_lengthen(
    pair: Any, sdp: bytes, asked: int, wanted: int, agreed: int
) -> None:
    connect(pair, sdp, SessionTimer(asked), SessionTimer(wanted, 30))
    assert expires(pair.network.messages("200 INVITE")[0]) == f"{agreed};refresher=uac"
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_the_caller_may_choose_who_refreshes(pair: Any, sdp: bytes, refresher: str) -> None:
    connect(pair, sdp, None, headers=[("Session-Expires", f"1800;refresher={refresher}")])
    assert expires(pair.network.messages("200 INVITE")[0]) == f"1800;refresher={refresher}"
    us = pair.caller if refresher == "uac" else pair.callee
    assert us.timer_state == "ours"
    pair.network.run(950)
    assert pair.network.wire(pair.a if refresher == "uac" else pair.b)[-1] == "UPDATE"
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_peer_without_timers_is_refreshed_by_us_alone(network: Any, sdp: bytes) -> None:
    """Rule of the house; the peer has no UPDATE either: re-INVITE with the description it has, same version."""
    a = network.node("alice", allow=("INVITE", "ACK", "BYE", "CANCEL", "UPDATE"), supported=("timer",))
    b = network.node("bob", allow=("INVITE", "ACK", "BYE", "CANCEL"))
    answer_changes(b, network, sdp)
    session = a.call(b, body=sdp, session_timer=TIMER)
    network.run(0.05)
    callee = b.events[0].session
    b.do(callee.answer(network.now, body=sdp))
    network.run(0.05)
    assert (session.timer_state, callee.timer_state) == ("ours", "off")
    network.sent.clear()
    network.run(950)
    (reinvite,) = network.messages("INVITE")
    assert reinvite.body == sdp
    assert len(a.got(Refreshed)) == 1
    assert not a.got(ReinviteAnswered)
    network.run(900)
    assert len(network.messages("INVITE")) == 2
    a.do(session.bye(network.now))
    network.assert_quiet()


def test_called_by_one_without_timers(network: Any, sdp: bytes) -> None:
    a = network.node("alice", allow=("INVITE", "ACK", "BYE", "CANCEL"))
    b = network.node("bob", allow=("INVITE", "ACK", "BYE", "CANCEL", "UPDATE"), supported=("timer",))
    answer_changes(a, network, sdp)
    session = a.call(b, body=sdp)
    network.run(0.05)
    callee = b.events[0].session
    callee.session_timer = TIMER
    b.do(callee.answer(network.now, body=sdp))
    network.run(0.05)
    answer = network.messages("200 INVITE")[0]
    assert (expires(answer), answer.headers.get("Require")) == ("1800;refresher=uas", None)
    network.sent.clear()
    network.run(950)
    assert network.wire(b)[:1] == ["INVITE"]
    assert len(b.got(Refreshed)) == 1
    a.do(session.bye(network.now))
    network.assert_quiet()


def test_a_refresh_answered_otherwise_is_told(network: Any, sdp: bytes) -> None:
    a = network.node("alice", allow=("INVITE", "ACK", "BYE", "CANCEL", "UPDATE"), supported=("timer",))
    b = network.node("bob", allow=("INVITE", "ACK", "BYE", "CANCEL"))
    answer_changes(b, network, b"v=0\r\ns=moved\r\n")
    session = a.call(b, body=sdp, session_timer=TIMER)
    network.run(0.05)
    b.do(b.events[0].session.answer(network.now, body=sdp))
    network.run(950)
    assert [event.response.body for event in a.got(ReinviteAnswered)] == [b"v=0\r\ns=moved\r\n"]
    a.do(session.bye(network.now))
    network.assert_quiet()


# -- 422 ---------------------------------------------------------------------------------------------------------------


def test_422_is_tried_again_with_the_larger_interval(network: Any, sdp: bytes) -> None:
    a = network.node("alice", allow=("INVITE", "ACK", "BYE", "CANCEL", "UPDATE"), supported=("timer",))
    b = network.node("bob", allow=("INVITE", "ACK", "BYE", "CANCEL", "UPDATE"), supported=("timer",), min_se_s=600)
    session = a.call(b, body=sdp, session_timer=SessionTimer(120))
    network.run(0.05)
    first, second = network.messages("INVITE")
    assert network.messages("422 INVITE")[0].headers.get("Min-SE") == "600"
    assert (expires(first), expires(second), second.headers.get("Min-SE")) == ("120", "600", "600")
    assert (second.call_id, second.from_.tag, second.cseq.number) == (first.call_id, first.from_.tag, 2)
    assert second.body == sdp
    b.do(b.got(type(b.events[-1]))[-1].session.answer(network.now, body=sdp))
    network.run(0.05)
    assert session.state == "confirmed"
    assert session.watch.interval_s == 600
    network.run(301)
    assert expires(network.messages("UPDATE")[0]) == "600;refresher=uac"
    a.do(session.bye(network.now))
    network.assert_quiet()


@pytest.mark.parametrize("least", ["60", "", "x"])
def test_422_that_asks_for_nothing_larger_is_a_refusal(peer: Any, make_peer: Any, least: str) -> None:
    peer = make_peer(supported=("timer",))
    from_to = peer.request("OPTIONS")
    assert from_to == []
    stray = peer.events[-1].request
    session, actions = peer.agent.invite(
        hop=peer.hop, uri=stray.uri, from_=stray.to, to=stray.from_, body=b"v=0\r\n", session_timer=TIMER, now=0.0
    )
    peer.take(actions)
    assert peer.answer(422, Min_SE=least) == ["ACK"]
    assert [event.status for event in peer.events if isinstance(event, Rejected)] == [422]
    assert session.is_over


def test_too_brief_is_refused_only_to_those_who_know_timers(make_peer: Callable[..., Any]) -> None:
    peer = make_peer(supported=("timer",))
    assert peer.request("INVITE", Session_Expires="60", Supported="timer") == ["422"]
    assert peer.last.headers.get("Min-SE") == "90"
    peer = make_peer(supported=("timer",))
    assert peer.request("INVITE", Session_Expires="60") == ["100"]
    peer.take(peer.session.answer(0.0, body=b"v=0\r\n"))
    assert peer.last.headers.get("Session-Expires") == "90;refresher=uas"
    peer = make_peer()
    assert peer.request("INVITE", Session_Expires="60", Supported="timer") == ["100"]
    peer.take(peer.session.answer(0.0, body=b"v=0\r\n"))
    assert "Session-Expires" not in peer.last.headers


def test_too_brief_in_the_dialog(make_peer: Callable[..., Any]) -> None:
    peer = make_peer(supported=("timer",))
    peer.established(Session_Expires="1800", Supported="timer")
    for cseq, method in ((2, "INVITE"), (3, "UPDATE")):
        assert peer.inside(method, cseq, Session_Expires="20", Supported="timer")[-1] == "422"
    assert peer.session.state == "confirmed"


# -- refreshes that fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interval", "end"), [(1800, 1768), (90, 60)])
def test_nobody_refreshes(pair: Any, sdp: bytes, interval: int, end: int) -> None:
    connect(pair, sdp, SessionTimer(interval))
    pair.network.filter = lambda sender, _: sender is pair.b
    start, heard = pair.now - 0.05, []
    pair.b.react = lambda event: heard.append((round(pair.now - start), event.cause))
    pair.network.run(interval)
    assert heard == [(end, "session_expired")]
    (bye,) = [m for _, node, m in pair.network.sent if node is pair.b and isinstance(m, Request)][:1]
    assert (
        bye.headers.get(
            "Reason",
        )
        == 'SIP;cause=408;text="Session expired"'
    )
    pair.network.filter = lambda *_: True
    pair.network.assert_quiet()
    assert [event.cause for event in pair.a.got(Ended)] == ["bye" if interval == 90 else "lost"]


@pytest.mark.parametrize("status", [481, 408])
def test_a_refresh_that_finds_nobody_ends_the_session(pair: Any, sdp: bytes, status: int) -> None:
    connect(pair, sdp)
    if status == 481:
        pair.b.agent._sessions.clear()
    else:
        pair.network.filter = lambda sender, _: sender is pair.a
    pair.network.run(950)
    assert [event.cause for event in pair.a.got(Ended)] == ["lost"]


@pytest.mark.parametrize("status", [405, 501])
def test_a_peer_that_has_no_update_after_all(pair: Any, sdp: bytes, status: int) -> None:
    connect(pair, sdp)
    answer_changes(pair.b, pair.network, sdp)
    settings = pair.b.agent._core.settings
    refused = type(settings)(allow=("INVITE", "ACK", "CANCEL", "BYE"), supported=("timer",), sent_by=settings.sent_by)
    pair.b.agent._core.settings = refused
    pair.network.sent.clear()
    pair.network.run(905)
    assert pair.network.wire(pair.a) == ["UPDATE", "INVITE", "ACK"]
    pair.network.sent.clear()
    pair.network.run(900)
    assert pair.network.wire(pair.a) == ["INVITE", "ACK"]
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


@pytest.mark.parametrize("status", [491, 500, 503, 488])
def test_a_refused_refresh_is_tried_again(network: Any, sdp: bytes, status: int) -> None:
    a = network.node("alice", allow=("INVITE", "ACK", "BYE", "CANCEL", "UPDATE"), supported=("timer",))
    b = network.node("bob", allow=("INVITE", "ACK", "BYE", "CANCEL"))
    refusals = iter([status, status])

    def react(event: Any) -> None:
        if isinstance(event, Reinvited):
            refusal = next(refusals, None)
            if refusal:
                b.do(event.session.reject_reinvite(refusal, network.now, [("Retry-After", "3")]))
            else:
                b.do(event.session.accept_reinvite(network.now, sdp))

    b.react = react
    session = a.call(b, body=sdp, session_timer=SessionTimer(180))
    network.run(0.05)
    b.do(b.events[0].session.answer(network.now, body=sdp))
    network.run(0.05)
    network.sent.clear()
    network.run(115)
    assert network.wire(a).count("INVITE") == 3
    assert not a.got(ReinviteRejected)
    assert len(a.got(Refreshed)) == 1
    a.do(session.bye(network.now))
    network.assert_quiet()


def test_a_refresh_waits_for_a_change_under_way(pair: Any, sdp: bytes) -> None:
    connect(pair, sdp)
    pair.network.run(890)
    pair.a.do(pair.caller.reinvite(pair.now, sdp))
    pair.network.run(15)
    assert "UPDATE" not in pair.network.wire()
    pair.b.do(pair.callee.accept_reinvite(pair.now, sdp))  # which is a refresh itself
    pair.network.run(100)
    assert expires(pair.network.messages("200 INVITE")[-1]) == "1800;refresher=uac"
    assert "UPDATE" not in pair.network.wire()
    pair.network.run(850)
    assert pair.network.wire().count("UPDATE") == 1
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_change_of_theirs_is_a_refresh(pair: Any, sdp: bytes) -> None:
    connect(pair, sdp)
    answer_changes(pair.a, pair.network, sdp)
    for _ in range(4):
        pair.network.run(600)
        pair.b.do(pair.callee.reinvite(pair.now, sdp))
        pair.network.run(1)
        assert expires(pair.network.messages("INVITE")[-1]) == "1800;refresher=uas"
        assert expires(pair.network.messages("200 INVITE")[-1]) == "1800;refresher=uas"
    assert "UPDATE" not in pair.network.wire()
    assert (pair.caller.timer_state, pair.callee.timer_state) == ("ours", "theirs")
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


# -- values and tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1800", (1800, "")),
        ("1800;refresher=UAS", (1800, "uas")),
        ("90 ; foo=bar;refresher=uac", (90, "uac")),
        ("90;refresher=me", (90, "")),
        ("0", None), ("-1", None), ("x", None), ("99999999999", None),
    ],
)  # fmt: skip
def test_session_expires_is_read(peer: Any, text: str, expected: Any) -> None:
    peer.request("INVITE", Session_Expires=text)
    assert SessionExpires.of(peer.events[0].request) == expected


def test_the_table_is_walked() -> None:
    assert {task for _, todo in WATCH.values() for task in todo} == set(Task) == set(watch._PERFORM)
    assert {stir for _, stir in WATCH} == set(Stir)
    assert {state for state, _ in WATCH.values()} == set(Duty)
    for duty in set(Duty) - {Duty.OFF}:
        assert WATCH[duty, Stir.TIMER_END][0] is Duty.OFF
        assert WATCH[duty, Stir.AGREED_NONE][0] is Duty.OFF
