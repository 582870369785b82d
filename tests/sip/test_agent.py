"""What the agent does with requests and responses of a peer that speaks in plain text: answers and refusals."""

from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.errors import LocalError
from santral.sip.events import (
    Acknowledged,
    Cancelled,
    Ended,
    Hop,
    IncomingInvite,
    InDialog,
    Refused,
    Reinvited,
    RequestAnswered,
    RequestFailed,
    Stray,
)
from santral.sip.message import make_response
from santral.sip.uri import NameAddr, Uri

# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "changes", "status", "header"),
    [
        ("REGISTER", {}, 405, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE")),
        ("SUBSCRIBE", {}, 405, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE")),
        ("DANCE", {}, 501, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE")),
        ("INVITE", {"Require": "100rel, precondition"}, 420, ("Unsupported", "100rel, precondition")),
        ("OPTIONS", {"Require": "path"}, 420, ("Unsupported", "path")),
        ("INVITE", {"body": "x", "Content_Type": "text/plain"}, 415, ("Accept", "application/sdp, multipart/mixed")),
        ("INVITE", {"body": "x", "Content_Encoding": "gzip"}, 415, ("Accept-Encoding", "identity")),
        ("INVITE", {"uri": "mailto:someone"}, 416, None),
        ("INVITE", {"Max_Forwards": "0"}, 483, None),
        ("INFO", {"Max_Forwards": "0"}, 483, None),
        ("INVITE", {"Contact": ""}, 400, None),
        ("INVITE", {"To": "<sip:us@192.0.2.1>;tag=gone"}, 481, None),
        ("INFO", {"To": "<sip:us@192.0.2.1>;tag=gone"}, 481, None),
        ("BYE", {"To": "<sip:us@192.0.2.1>;tag=gone"}, 481, None),
        ("BYE", {}, 481, None),
        ("CANCEL", {}, 481, None),
        ("INVITE", {"From": "nonsense"}, 400, None),
        ("INVITE", {"CSeq": "1 OPTIONS"}, 400, None),
        ("OPTIONS", {"Call_ID": ""}, 400, None),
    ],
)
def test_refusals(peer: Any, method: str, changes: dict[str, str], status: int, header: tuple[str, str] | None) -> None:
    assert peer.request(method, **changes) == [str(status)]
    if header is not None:
        assert (peer.last.headers.get(header[0]) or "").startswith(header[1])
    (refused,) = peer.events
    assert isinstance(refused, Refused)
    assert (refused.status, refused.source) == (status, peer.hop)
    assert set(peer.agent.counts.values()) == {0}  # nobody fills our memory with bad requests
    assert peer.request(method, **changes) == [str(status)]
    assert peer.raw[0] == peer.raw[1]  # RFC 3261 8.2.7: the same To tag


def test_too_many_transactions_are_refused_and_leave_nothing_behind(make_peer: Callable[..., Any]) -> None:
    peer = make_peer(max_transactions=2)
    for cseq in (1, 2):
        assert peer.request("OPTIONS", cseq=cseq) == []
    assert peer.request("OPTIONS", cseq=3) == ["503"]
    assert peer.sent[-1][1].headers.get("Retry-After") == "5"
    assert peer.agent.counts["server_transactions"] == 2
    assert [event.kind for event in peer.events if isinstance(event, Refused)] == ["overload"]


def test_version_other_than_2_gets_505(peer: Any) -> None:
    assert peer.say(peer.text_of("OPTIONS", 1, "z9hG4bK1").replace("SIP/2.0\r\n", "SIP/3.0\r\n", 1)) == ["505"]


@pytest.mark.parametrize("data", [b"\x00\xff" * 50, b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"x" * 65535])
def test_garbage_gets_nothing_but_a_mention(peer: Any, data: bytes) -> None:
    assert peer.take(peer.agent.receive(data, peer.hop, 0.0)) == []
    assert [(event.kind, event.status) for event in peer.events] == [("malformed", 0)]
    assert peer.agent.counters["malformed"] == 1


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0"])
def test_keepalives_are_swallowed(peer: Any, data: bytes) -> None:
    assert peer.agent.receive(data, peer.hop, 0.0) == []


def test_responses_and_acks_to_nothing_are_counted_and_dropped(peer: Any) -> None:
    ok = peer.text_of("INVITE", 1, "z9hG4bKnone").replace("INVITE sip:us@192.0.2.1 SIP/2.0", "SIP/2.0 200 OK")
    assert peer.say(ok) == []
    assert peer.request("ACK", To="<sip:us@192.0.2.1>;tag=x") == []
    assert peer.events == []
    assert peer.agent.counters["stray_responses"] == 1
    assert peer.agent.counters["stray_acks"] == 1


def test_a_malformed_ack_is_not_answered(peer: Any) -> None:
    assert peer.request("ACK", From="nonsense") == []


def test_the_same_request_by_two_ways_is_merged(peer: Any) -> None:
    assert peer.request("INVITE", branch="z9hG4bKone") == ["100"]
    assert peer.request("INVITE", branch="z9hG4bKtwo") == ["482"]
    assert peer.request("INVITE", branch="z9hG4bKone") == ["100"]  # merely repeated
    assert peer.request("OPTIONS", branch="z9hG4bKone", cseq=2) == []
    assert peer.request("OPTIONS", branch="z9hG4bKtwo", cseq=2) == ["482"]
    assert peer.request("INVITE", branch="z9hG4bKthree", cseq=3) == ["100"]  # a new attempt in the same call


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "v=0\r\n", "Content_Type": "Application/SDP; charset=utf-8"},
        {"body": "--x\r\n\r\nhello\r\n--x--", "Content_Type": "multipart/mixed;boundary=x"},
        {"body": "x", "Content_Type": "text/plain", "Content_Disposition": "render; handling=optional"},
        {"Supported": "100rel", "Proxy_Require": "sec-agree", "Max_Forwards": ""},
        {"uri": "tel:+903125550100"},
        {"uri": "sips:us@192.0.2.1"},
    ],
)
def test_what_is_not_refused(peer: Any, changes: dict[str, str]) -> None:
    assert peer.request("INVITE", **changes) == ["100"]
    assert [type(event) for event in peer.events] == [IncomingInvite]


# -- requests outside a session ----------------------------------------------------------------------------------------


def test_options_is_answered_by_the_owner(peer: Any) -> None:
    assert peer.request("OPTIONS", Max_Forwards="0") == []  # may end here (RFC 3261 section 11)
    (stray,) = peer.events
    assert isinstance(stray, Stray)
    assert peer.take(peer.agent.respond(stray.key, make_response(stray.request, 200), 0.0)) == ["200"]
    assert peer.last.to.tag
    assert peer.request("OPTIONS") == ["200"]  # repeated, from the transaction
    assert len(peer.events) == 1
    assert peer.agent.respond(stray.key, make_response(stray.request, 200), 0.0) == []
    peer.tick(33)
    assert set(peer.agent.counts.values()) == {0}


def test_a_late_answer_is_not_sent(peer: Any) -> None:
    peer.request("OPTIONS")
    (stray,) = peer.events
    assert peer.tick(32.1) == ["100"]  # both timers at once: the first is late, the second ends it
    assert peer.agent.respond(stray.key, make_response(stray.request, 200), peer.now) == []


def test_no_provisional_answer_but_100_to_other_requests(peer: Any) -> None:
    peer.request("OPTIONS")
    with pytest.raises(LocalError):
        peer.agent.respond(peer.events[0].key, make_response(peer.events[0].request, 183), 0.0)


def outgoing(peer: Any, method: str = "OPTIONS", hop: Hop | None = None) -> str:
    key, actions = peer.agent.request(
        method=method,
        hop=hop or peer.hop,
        uri=Uri.parse("sip:peer@example.com"),
        from_=NameAddr.parse("<sip:us@192.0.2.1>"),
        to=NameAddr.parse("<sip:peer@example.com>"),
        now=peer.now,
    )
    peer.take(actions)
    return key


def test_options_ping_is_answered(peer: Any) -> None:
    key = outgoing(peer)
    assert peer.last.headers.all("Via")[0].startswith("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK")
    peer.answer(404)
    (event,) = peer.events
    assert isinstance(event, RequestAnswered)
    assert (event.key, event.session, event.response.status) == (key, None, 404)


def test_options_ping_meets_silence_and_a_dead_hop(peer: Any) -> None:
    silent, dead = outgoing(peer), outgoing(peer, hop=peer.hop._replace(port=1))
    peer.take(peer.agent.send_failed(peer.hop._replace(port=1), 0.0))
    while peer.agent.next_deadline() is not None:
        peer.now = peer.agent.next_deadline() or 0.0
        peer.tick(0)
    assert peer.events == [RequestFailed(dead, None, 503), RequestFailed(silent, None, 408)]
    assert set(peer.agent.counts.values()) == {0}


def test_no_binding_for_a_hop_is_our_own_mistake(peer: Any) -> None:
    with pytest.raises(LocalError):
        outgoing(peer, hop=peer.hop._replace(interface="wan"))
    peer.agent.set_sent_by("wan", "udp", "198.51.100.1:5060")
    outgoing(peer, hop=peer.hop._replace(interface="wan"))
    assert peer.last.via.host == "198.51.100.1"


def test_ipv6_names_stand_in_brackets(peer: Any) -> None:
    outgoing(peer, "INFO", hop=Hop("udp", "2001:db8::9", 5060, "six"))
    assert peer.last.headers.all("Via")[0].startswith("SIP/2.0/UDP [2001:db8::1]:5060;")


# -- being called ------------------------------------------------------------------------------------------------------


def test_dialog_forming_responses(peer: Any) -> None:
    peer.request("INVITE", Record_Route="<sip:p1.example;lr>, <sip:192.0.2.77:5070;lr>")
    assert peer.last.headers.get("Record-Route") is None  # 100
    assert peer.last.to.tag is None
    peer.take(peer.session.progress(180, 0.0, headers=[("x-note", "hi")]))
    peer.take(peer.session.progress(183, 0.0, body=b"v=0\r\n", reason="Session is Progressing"))
    peer.take(peer.session.answer(0.0, body=b"v=0\r\n", headers=[("Contact", "<sip:me@192.0.2.1>")]))
    ringing, early, ok = (message for _, message in peer.sent[1:4])
    for response in (ringing, early, ok):
        assert [str(route.uri.host) for route in response.record_routes] == ["p1.example", "192.0.2.77"]
        assert response.to.tag == peer.session.local_tag
        assert response.headers.get("Allow")
    assert ringing.headers.get("X-Note") == "hi"
    assert ringing.headers.get("Contact") == "<sip:192.0.2.1:5060>"
    assert (early.reason, early.content_type) == ("Session is Progressing", "application/sdp")
    assert ok.headers.all("Contact") == ["<sip:me@192.0.2.1>"]
    with pytest.raises(LocalError):
        peer.session.progress(100, 0.0)


@pytest.mark.parametrize("bad", [("X-A", "a\r\nB: c"), ("X\n", "a"), ("X-A", "a\0"), ("X-A", "\ud800")])
def test_a_header_that_cannot_be_written_moves_nothing(peer: Any, bad: tuple[str, str]) -> None:
    peer.request("INVITE")
    with pytest.raises(LocalError):
        peer.session.answer(0.0, body=b"v=0\r\n", headers=[bad])
    assert peer.session.state == "incoming"
    assert peer.take(peer.session.answer(0.0, body=b"v=0\r\n")) == ["200"]


def test_our_2xx_is_repeated_until_the_ack_whatever_its_branch(peer: Any) -> None:
    peer.request("INVITE")
    assert peer.take(peer.session.answer(0.0, body=b"v=0\r\n")) == ["200"]
    assert [peer.tick(0.5), peer.tick(0.9), peer.tick(0.1)] == [["200"], [], ["200"]]
    to = f"<sip:us@192.0.2.1>;tag={peer.session.local_tag}"
    assert peer.request("ACK", To=to, cseq=2) == []  # not this INVITE's
    assert peer.agent.counters["stray_acks"] == 1
    peer.request("ACK", To=to, branch="z9hG4bKINVITE1")  # old phones use the branch of the INVITE
    assert isinstance(peer.events[-1], Acknowledged)
    assert peer.tick(10) == []
    peer.request("ACK", To=to, branch="z9hG4bKagain")
    assert [type(event) for event in peer.events].count(Acknowledged) == 1


def test_no_ack_ends_the_session_with_bye(peer: Any) -> None:
    peer.request("INVITE")
    peer.take(peer.session.answer(0.0, body=b"v=0\r\n"))
    names = [name for _ in range(80) for name in peer.tick(0.5)]
    assert names.count("200") == 10
    assert names.count("BYE") > 1
    assert [event.cause for event in peer.events if isinstance(event, Ended)] == ["no_ack"]
    peer.tick(100)
    assert set(peer.agent.counts.values()) == {0}


def test_cancel(peer: Any) -> None:
    peer.request("INVITE")
    assert peer.request("CANCEL", branch="z9hG4bKINVITE1", Reason='SIP;cause=200;text="elsewhere"') == ["200", "487"]
    event = peer.events[-1]
    assert isinstance(event, Cancelled)
    assert event.request.headers.get("Reason") == 'SIP;cause=200;text="elsewhere"'
    (_, ok), (_, terminated) = peer.sent[-2:]
    assert ok.to.tag == terminated.to.tag == event.session.local_tag
    assert peer.request("CANCEL", branch="z9hG4bKINVITE1") == ["200"]  # repeated
    assert peer.session.answer(0.0, body=b"v=0\r\n") == []
    peer.request("ACK", branch="z9hG4bKINVITE1", To=str(terminated.to))
    peer.tick(40)
    assert set(peer.agent.counts.values()) == {0}


def test_cancel_after_the_answer_changes_nothing(peer: Any) -> None:
    peer.established()
    assert peer.request("CANCEL", branch="z9hG4bKINVITE1") == ["200"]
    assert peer.session.state == "confirmed"


@pytest.mark.parametrize("status", [302, 404, 486, 603])
def test_reject(peer: Any, status: int) -> None:
    peer.request("INVITE")
    assert peer.take(peer.session.reject(status, 0.0, headers=[("Reason", "Q.850;cause=17")])) == [str(status)]
    assert peer.events[-1] == Ended(peer.session, "local", None)
    assert peer.last.headers.get("Reason") == "Q.850;cause=17"
    assert peer.tick(0.5) == [str(status)]
    peer.request("ACK", branch="z9hG4bKINVITE1", To=str(peer.last.to))
    assert peer.tick(1) == []
    peer.tick(40)
    assert set(peer.agent.counts.values()) == {0}
    with pytest.raises(LocalError):
        peer.session.reject(200, 0.0)


def test_bye_on_the_early_dialog(peer: Any) -> None:
    peer.request("INVITE")
    peer.take(peer.session.progress(180, 0.0))
    assert peer.inside("BYE", 2) == ["200", "487"]
    assert isinstance(peer.events[-1], Cancelled)


# -- inside a session --------------------------------------------------------------------------------------------------


def test_requests_inside_a_session_are_the_owners(peer: Any) -> None:
    session = peer.established()
    assert peer.inside("INFO", 2, body="Signal=1", Content_Type="application/dtmf-relay") == []
    event = peer.events[-1]
    assert isinstance(event, InDialog)
    assert event.session is session
    assert peer.take(peer.agent.respond(event.key, make_response(event.request, 200), 0.0)) == ["200"]


def test_sequence_numbers_only_grow(peer: Any) -> None:
    peer.established()
    assert peer.inside("INFO", 5) == []
    assert peer.inside("INFO", 4) == ["500"]
    assert peer.inside("INFO", 5, branch="z9hG4bKother") == ["500"]
    assert peer.inside("INFO", 6) == []


@pytest.mark.parametrize(
    ("method", "changes", "status"),
    [
        ("REFER", {}, 405),
        ("DANCE", {}, 501),
        ("INVITE", {"Require": "timer"}, 420),
        ("INVITE", {"body": "x", "Content_Type": "text/plain"}, 415),
        ("INFO", {"From": "<sip:peer@example.com>;tag=other"}, 481),
        ("INFO", {"Call_ID": "other"}, 481),
    ],
)
def test_refusals_inside_a_session_leave_it_alone(peer: Any, method: str, changes: dict[str, str], status: int) -> None:
    session = peer.established()
    assert peer.inside(method, 2, **changes) == [str(status)]
    assert session.state == "confirmed"


def test_a_second_reinvite_while_one_is_pending_gets_500(peer: Any) -> None:
    session = peer.established()
    assert peer.inside("INVITE", 2, body="v=0\r\n") == ["100"]
    assert peer.inside("INVITE", 3, body="v=0\r\n") == ["100", "500"]
    assert 0 <= int(peer.last.headers.get("Retry-After") or "") <= 10
    assert [type(event) for event in peer.events].count(Reinvited) == 1
    assert peer.take(session.accept_reinvite(0.0, b"v=0\r\n")) == ["200"]
    assert peer.last.cseq.number == 2


def test_a_target_refresh_moves_the_next_request(peer: Any) -> None:
    session = peer.established()
    peer.inside("INVITE", 2, Contact="<sip:peer@192.0.2.50:7000>")
    peer.take(session.reject_reinvite(488, 0.0))
    assert str(session.remote_target) == "sip:peer@192.0.2.9:5099"  # a refused one changes nothing
    assert peer.inside("UPDATE", 3, Contact="<sip:peer@192.0.2.51>") == ["200"]  # by the session itself
    assert str(session.remote_target) == "sip:peer@192.0.2.51"
    peer.inside("INVITE", 4, Contact="<sip:peer@192.0.2.50:7000>")
    peer.take(session.accept_reinvite(0.0, b"v=0\r\n"))
    peer.inside("ACK", 4)
    peer.take(session.bye(0.0))
    assert peer.sent[-1][0] == Hop("udp", "192.0.2.50", 7000, "lan")
    assert str(peer.last.uri) == "sip:peer@192.0.2.50:7000"


@pytest.mark.parametrize(("status", "causes"), [(481, ["lost"]), (408, ["lost"]), (500, []), (404, [])])
def test_what_ends_a_session_and_what_does_not(peer: Any, status: int, causes: list[str]) -> None:
    session = peer.established()
    key, actions = session.send("INFO", 0.0, body=b"x", content_type="text/plain")
    assert peer.take(actions) == ["INFO"]
    assert peer.answer(status) == (["BYE"] if status == 408 else [])
    answered = next(event for event in peer.events if isinstance(event, RequestAnswered))
    assert (answered.key, answered.session) == (key, session)
    assert [event.cause for event in peer.events if isinstance(event, Ended)] == causes


def test_silence_inside_a_session_ends_it(peer: Any) -> None:
    session = peer.established()
    key, actions = session.send("INFO", 0.0)
    peer.take(actions)
    peer.tick(32)
    assert RequestFailed(key, session, 408) in peer.events
    assert peer.events[-1] == Ended(session, "lost", None)


def test_sending_on_a_finished_session_fails_as_481(peer: Any) -> None:
    session = peer.established()
    peer.take(session.bye(0.0))
    key, actions = session.send("INFO", 0.0)
    assert actions == [RequestFailed(key, session, 481)]
    with pytest.raises(LocalError):
        session.send("BYE", 0.0)
