"""Which way messages go over each transport, what we call ourselves there, and what is too long for a datagram."""

import random
from ipaddress import ip_network
from typing import Any

import pytest

from santral.sip.agent import AgentSettings, UserAgent
from santral.sip.errors import Malformed
from santral.sip.events import Alias, Hop, Refused, RequestAnswered, RequestFailed, Send
from santral.sip.message import Request, make_response, parse_message, serialise
from santral.sip.ua.compose import reply_hop
from santral.sip.ua.dialog import numeric_hop
from santral.sip.ua.runner import MAX_DATAGRAM, NO_STREAM_S
from santral.sip.uri import NameAddr, Uri

SPOKEN = {("lan", transport): f"pbx.example:{port}" for transport, port in
          (("udp", 5060), ("tcp", 5060), ("tls", 5061), ("ws", 80), ("wss", 443))}  # fmt: skip
PEER = Hop("udp", "192.0.2.9", 5060, "lan")
TCP = PEER._replace(transport="tcp")
CALLER = Hop("tls", "192.0.2.9", 40001, "lan", flow=7, verified=("gw.example", "192.0.2.9"))


def made(**settings: Any) -> UserAgent:
    return UserAgent(AgentSettings(sent_by=SPOKEN, **settings), random.Random(3).randbytes)


def asked(agent: UserAgent, method: str, hop: Hop, size: int, now: float = 0.0) -> list[Any]:
    _, actions = agent.request(
        method=method, hop=hop, uri=Uri.parse("sip:bob@192.0.2.9"), from_=NameAddr.parse("<sip:a@b>"),
        to=NameAddr.parse("<sip:c@d>"), body=b"x" * size, content_type="text/plain", now=now,
    )  # fmt: skip
    return actions


def invited(agent: UserAgent, hop: Hop, size: int) -> tuple[Any, list[Any]]:
    return agent.invite(
        hop=hop, uri=Uri.parse("sip:bob@192.0.2.9"), from_=NameAddr.parse("<sip:a@b>"), to=NameAddr.parse("<sip:c@d>"),
        body=b"x" * size, now=0.0,
    )  # fmt: skip


def the_request(actions: list[Any]) -> tuple[Hop, Request]:
    (send,) = [action for action in actions if isinstance(action, Send)]
    request = parse_message(send.data)
    assert isinstance(request, Request)
    return send.hop, request


# -- what is too long for a datagram (RFC 3261 18.1.1) -----------------------------------------------------------------


def test_a_long_request_goes_by_tcp_and_its_via_says_so() -> None:
    agent = made()
    hop, request = the_request(asked(agent, "MESSAGE", PEER, MAX_DATAGRAM))
    assert (hop, request.via.transport) == (TCP, "TCP")
    answer = serialise(make_response(request, 200, to_tag="1"))
    assert [type(one) for one in agent.receive(answer, TCP, 0.1)] == [RequestAnswered]
    hop, request = the_request(asked(agent, "MESSAGE", PEER, 100))
    assert (hop, request.via.transport) == (PEER, "UDP")


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_who_takes_no_tcp_gets_it_by_udp_after_all(method: str) -> None:
    agent = made()
    if method == "INVITE":
        session, actions = invited(agent, PEER, MAX_DATAGRAM)
    else:
        session, actions = None, asked(agent, method, PEER, MAX_DATAGRAM)
    _, first = the_request(actions)
    hop, again = the_request(agent.send_failed(TCP, 0.5))
    assert (hop, again.via.transport, again.via.branch) == (PEER, "UDP", first.via.branch)
    assert again.body == first.body
    hop, repeated = the_request(agent.tick(1.0))  # retransmitted now, as datagrams are
    assert (hop, repeated.via) == (PEER, again.via)
    hop, _ = the_request(asked(agent, "MESSAGE", PEER, MAX_DATAGRAM, now=2.0))
    assert hop == PEER  # remembered
    hop, _ = the_request(asked(agent, "MESSAGE", PEER._replace(port=5070), MAX_DATAGRAM, now=2.0))
    assert hop == TCP._replace(port=5070)  # of that peer alone
    hop, _ = the_request(asked(agent, "MESSAGE", PEER, MAX_DATAGRAM, now=1.0 + NO_STREAM_S))
    assert hop == TCP
    failed = agent.send_failed(PEER, 2.0)  # there is no third way
    assert [one for one in failed if isinstance(one, Send)] == []
    if session is not None:
        assert session.is_over
    else:
        assert any(isinstance(one, RequestFailed) for one in failed)


def test_a_cancel_takes_the_way_of_its_invite() -> None:
    agent = made()
    session, actions = invited(agent, PEER, MAX_DATAGRAM)
    _, invite = the_request(actions)
    agent.receive(serialise(make_response(invite, 180, to_tag="1")), TCP, 0.1)
    hop, cancel = the_request(session.cancel(0.2))
    assert (hop, cancel.method, cancel.via) == (TCP, "CANCEL", invite.via)


def test_a_stream_that_fails_after_an_answer_is_no_reason_to_repeat() -> None:
    agent = made()
    _, actions = invited(agent, PEER, MAX_DATAGRAM)
    _, invite = the_request(actions)
    agent.receive(serialise(make_response(invite, 100)), TCP, 0.1)
    assert agent.send_failed(TCP, 0.2) == []


def test_an_interface_without_tcp_sends_long_datagrams() -> None:
    agent = UserAgent(AgentSettings(sent_by={("lan", "udp"): "a:5060"}), random.Random(3).randbytes)
    assert the_request(asked(agent, "MESSAGE", PEER, MAX_DATAGRAM))[0] == PEER


# -- where answers go, and requests inside a dialog --------------------------------------------------------------------


def request(via: str, *headers: str) -> Request:
    lines = "\r\n".join((f"Via: SIP/2.0/{via}", *headers))
    message = parse_message(
        f"OPTIONS sip:us@pbx.example SIP/2.0\r\n{lines}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
        "Call-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("via", "source", "again"),
    [
        ("TCP peer.example:5070;branch=z9hG4bK1", Hop("tcp", "192.0.2.9", 40001, "lan", flow=7),
         Hop("tcp", "192.0.2.9", 5070, "lan")),
        ("TLS peer.example;branch=z9hG4bK1", CALLER, Hop("tls", "192.0.2.9", 5061, "lan", "gw.example")),
        ("TLS peer.example;branch=z9hG4bK1", CALLER._replace(verified=()),
         Hop("tls", "192.0.2.9", 5061, "lan", "peer.example")),
        ("TLS x:5061;branch=z9hG4bK1", Hop("tls", "192.0.2.9", 5061, "lan", "gw.example", "carrier"),
         Hop("tls", "192.0.2.9", 5061, "lan", "gw.example", "carrier")),
        ("WSS abc.invalid;branch=z9hG4bK1", Hop("wss", "192.0.2.9", 40001, "lan", flow=8), None),
    ],
)  # fmt: skip
def test_answers_go_back_by_their_connection_or_by_a_new_one(via: str, source: Hop, again: Hop | None) -> None:
    first, later = reply_hop(request(via), source)
    assert first == source
    assert later == (again or source)


@pytest.mark.parametrize(
    ("uri", "base", "hop"),
    [
        ("sip:a@192.0.2.9:5070;transport=tls", CALLER, Hop("tls", "192.0.2.9", 5070, "lan", "gw.example")),
        ("sips:a@192.0.2.8", CALLER, Hop("tls", "192.0.2.8", 5061, "lan", "gw.example")),
        ("sips:a@192.0.2.8", PEER, Hop("tls", "192.0.2.8", 5061, "lan", "192.0.2.8")),
        ("sip:a@192.0.2.8", CALLER, Hop("udp", "192.0.2.8", 5060, "lan")),
        # The flow may be gone when the next request leaves; the address still holds.
        ("sip:a@192.0.2.9:40001;transport=tcp", Hop("tcp", "192.0.2.9", 40001, "lan", flow=3),
         Hop("tcp", "192.0.2.9", 40001, "lan")),
        ("sip:a@192.0.2.9:40001;transport=ws", Hop("ws", "192.0.2.9", 40001, "lan", flow=3), None),
        ("sip:abc@df7jal23ls0d.invalid;transport=ws", Hop("ws", "192.0.2.9", 40001, "lan", flow=3), None),
    ],
)  # fmt: skip
def test_what_a_contact_means_depends_on_who_gave_it(uri: str, base: Hop, hop: Hop | None) -> None:
    assert numeric_hop(Uri.parse(uri), base, SPOKEN) == hop


# -- what we call ourselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transport", "via", "contact"),
    [
        ("udp", "SIP/2.0/UDP pbx.example:5060", "<sip:pbx.example:5060>"),
        ("tcp", "SIP/2.0/TCP pbx.example:5060", "<sip:pbx.example:5060;transport=tcp>"),
        ("tls", "SIP/2.0/TLS pbx.example:5061", "<sip:pbx.example:5061;transport=tls>"),
        ("ws", "SIP/2.0/WS pbx.example:80", "<sip:pbx.example:80;transport=ws>"),
        ("wss", "SIP/2.0/WSS pbx.example:443", "<sip:pbx.example:443;transport=ws>"),  # RFC 7118 section 5.2
    ],
)
def test_via_and_contact_of_each_transport(transport: str, via: str, contact: str) -> None:
    agent = made()
    _, actions = invited(agent, Hop(transport, "192.0.2.9", 5060, "lan", flow=4), 10)
    _, invite = the_request(actions)
    assert (invite.headers.get("Via") or "").startswith(via + ";branch=")
    assert invite.headers.get("Contact") == contact


def test_peers_of_a_local_net_see_the_inner_address() -> None:
    """Rule 23: Via and Contact by where the peer is, in requests and in answers."""
    agent = made()
    nets = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    agent.set_sent_by("lan", "udp", "203.0.113.7:5060", inside="10.0.0.1:5060", local_net=nets)
    for host, name in (("10.1.2.3", "10.0.0.1"), ("192.0.2.9", "203.0.113.7"), ("fd00::5", "10.0.0.1")):
        _, actions = invited(agent, PEER._replace(host=host), 10)
        _, invite = the_request(actions)
        assert (invite.via.host, f"<sip:{name}:5060>") == (name, invite.headers.get("Contact"))
    _, actions = invited(agent, PEER._replace(host="10.1.2.3", transport="tcp"), 10)
    assert the_request(actions)[1].via.host == "pbx.example"


# -- what the transport has to be told, and tells ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("via", "source", "alias"),
    [
        ("TLS peer.example:5071;branch=z9hG4bK1;alias", CALLER, Alias(CALLER, 5071)),
        ("TLS peer.example;branch=z9hG4bK1;alias", CALLER, Alias(CALLER, 5061)),
        ("TLS peer.example;branch=z9hG4bK1", CALLER, None),
        ("TLS peer.example;branch=z9hG4bK1;alias", CALLER._replace(verified=()), None),  # RFC 5923: mutual TLS alone
        ("TLS peer.example;branch=z9hG4bK1;alias", CALLER._replace(flow=0), None),  # our own connection
    ],
)
def test_an_alias_is_asked_for_and_proved(via: str, source: Hop, alias: Alias | None) -> None:
    actions = made().receive(serialise(request(via)), source, 0.0)
    assert [one for one in actions if isinstance(one, Alias)] == ([alias] if alias else [])


def test_a_broken_stream_is_told_what_was_wrong_with_it() -> None:
    agent = made()
    error = Malformed("0 Content-Length headers on a stream", request("TCP x;branch=z9hG4bK1"))
    source = Hop("tcp", "192.0.2.9", 40001, "lan", flow=7)
    send, refused = agent.refuse_unframed(error, source)
    assert isinstance(send, Send)
    assert (send.hop, send.data.split(b"\r\n")[0]) == (source, b"SIP/2.0 400 Bad Request")
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.status) == ("malformed", 400)
    (refused,) = agent.refuse_unframed(Malformed("noise"), source)
    assert isinstance(refused, Refused)
    assert refused.status == 0
