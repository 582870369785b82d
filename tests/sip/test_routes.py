"""Where answers and requests go: Via and rport, route sets, targets that move, peers behind NAT."""

from typing import Any

import pytest

from santral.sip.events import Hop
from santral.sip.message import Request
from santral.sip.uri import NameAddr, Uri

# -- the way back (RFC 3261 18.2, RFC 3581) ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("via", "hop", "expected"),
    [
        ("SIP/2.0/UDP 192.0.2.9:5099;branch=z9hG4bK1", ("192.0.2.9", 5099), {"received": None, "rport": None}),
        ("SIP/2.0/UDP 10.0.0.1:7000;branch=z9hG4bK1", ("192.0.2.9", 7000), {"received": "192.0.2.9", "rport": None}),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", ("192.0.2.9", 5060), {"received": "192.0.2.9", "rport": None}),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport", ("192.0.2.9", 5099), {"received": "192.0.2.9", "rport": 5099}),
        (
            "SIP/2.0/UDP 192.0.2.9:1;branch=z9hG4bK1;rport",
            ("192.0.2.9", 5099),
            {"received": "192.0.2.9", "rport": 5099},
        ),
        ("SIP/2.0/UDP host.example;branch=z9hG4bK1", ("192.0.2.9", 5060), {"received": "192.0.2.9", "rport": None}),
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "REGISTER"], ids=["with state", "stateless"])
def test_where_answers_go(peer: Any, method: str, via: str, hop: tuple[str, int], expected: dict[str, object]) -> None:
    below = ", SIP/2.0/UDP proxy.example;branch=z9hG4bKbelow"
    peer.request(method, Via=via + below)
    where, response = peer.sent[-1]
    assert (where.host, where.port) == hop
    assert {name: getattr(response.via, name) for name in expected} == expected
    assert len(response.vias) == 2


def test_answers_on_a_stream_go_back_on_it(peer: Any) -> None:
    stream = Hop("tcp", "192.0.2.9", 41000, "lan")
    peer.request("INVITE", Via="SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK1", source=stream)
    assert peer.sent[-1][0] == stream
    assert peer.take(peer.agent.send_failed(stream, 0.0)) == ["100"]
    assert peer.sent[-1][0] == Hop("tcp", "192.0.2.9", 5060, "lan")
    peer.take(peer.session.answer(0.0, body=b"v=0\r\n"))
    assert peer.sent[-1][0] == Hop("tcp", "192.0.2.9", 5060, "lan")
    assert peer.last.headers.get("Contact") == "<sip:192.0.2.1:5060;transport=tcp>"


# -- routes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record_route", "uri", "routes", "hop"),
    [
        ("", "sip:peer@192.0.2.9:5099", [], ("192.0.2.9", 5099)),
        (
            "<sip:192.0.2.70:5070;lr>, <sip:192.0.2.71;lr>",
            "sip:peer@192.0.2.9:5099",
            ["<sip:192.0.2.70:5070;lr>", "<sip:192.0.2.71;lr>"],
            ("192.0.2.70", 5070),
        ),
        (  # a strict router: the target moves to the end of Route
            "<sip:192.0.2.70:5070>, <sip:192.0.2.71;lr>",
            "sip:192.0.2.70:5070",
            ["<sip:192.0.2.71;lr>", "<sip:peer@192.0.2.9:5099>"],
            ("192.0.2.70", 5070),
        ),
        (  # a name is not resolved: back to where the peer was last heard
            "<sip:proxy.example;lr>",
            "sip:peer@192.0.2.9:5099",
            ["<sip:proxy.example;lr>"],
            ("192.0.2.9", 5099),
        ),
        (  # a transport we do not speak
            "<sip:192.0.2.70;transport=sctp;lr>",
            "sip:peer@192.0.2.9:5099",
            ["<sip:192.0.2.70;transport=sctp;lr>"],
            ("192.0.2.9", 5099),
        ),
    ],
)
def test_routes_of_the_called_side(
    peer: Any, record_route: str, uri: str, routes: list[str], hop: tuple[str, int]
) -> None:
    session = peer.established(Record_Route=record_route)
    peer.take(session.bye(0.0))
    where, bye = peer.sent[-1]
    assert isinstance(bye, Request)
    assert str(bye.uri) == uri
    assert bye.headers.all("Route") == routes
    assert (where.host, where.port) == hop


def test_routes_of_the_calling_side_are_reversed_and_those_of_the_answer_count(peer: Any) -> None:
    session, actions = peer.agent.invite(
        hop=peer.hop,
        uri=Uri.parse("sip:peer@example.com"),
        from_=NameAddr.parse("<sip:us@192.0.2.1>;tag=mine"),
        to=NameAddr.parse("<sip:peer@example.com>"),
        body=b"v=0\r\n",
        call_id="ours",
        max_forwards=42,
        now=0.0,
    )
    peer.take(actions)
    assert (session.call_id, session.local_tag, peer.last.max_forwards) == ("ours", "mine", 42)
    peer.answer(183, Record_Route="<sip:192.0.2.79;lr>", Contact="<sip:early@192.0.2.9>")
    peer.answer(200, Record_Route="<sip:192.0.2.71;lr>, <sip:192.0.2.70:5070;lr>", Contact="<sip:peer@192.0.2.9>")
    where, ack = peer.sent[-1]
    assert isinstance(ack, Request)
    assert (where.host, where.port) == ("192.0.2.70", 5070)
    assert ack.headers.all("Route") == ["<sip:192.0.2.70:5070;lr>", "<sip:192.0.2.71;lr>"]
    assert str(ack.uri) == "sip:peer@192.0.2.9"
    assert ack.headers.get("Contact") is None


def test_a_peer_behind_nat_can_be_followed(peer: Any) -> None:
    session = peer.established(Contact="<sip:peer@10.0.0.1>")
    session.follow_source = True
    peer.inside("INFO", 2, source=peer.hop._replace(port=6000))
    peer.take(session.bye(0.0))
    assert peer.sent[-1][0].port == 6000
    assert str(peer.last.uri) == "sip:peer@10.0.0.1"


def test_an_address_of_the_other_family_is_reached_over_its_interface(peer: Any) -> None:
    six = Hop("udp", "2001:db8::9", 5060, "six")
    via = "SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK6"
    peer.request("INVITE", source=six, Contact="<sip:peer@[2001:db8::9]:5062>", Via=via)
    session = peer.session
    peer.take(session.answer(0.0, body=b"v=0\r\n"))
    peer.request("ACK", source=six, To=f"<sip:us@192.0.2.1>;tag={session.local_tag}", branch="z9hG4bK7")
    peer.take(session.bye(0.0))
    assert peer.sent[-1][0] == Hop("udp", "2001:db8::9", 5062, "six")
    assert str(peer.last.uri) == "sip:peer@[2001:db8::9]:5062"


def test_many_early_dialogs_are_bounded(peer: Any) -> None:
    session, actions = peer.agent.invite(
        hop=peer.hop,
        uri=Uri.parse("sip:peer@example.com"),
        from_=NameAddr.parse("<sip:us@192.0.2.1>"),
        to=NameAddr.parse("<sip:peer@example.com>"),
        body=b"v=0\r\n",
        now=0.0,
    )
    peer.take(actions)
    for number in range(100):
        peer.answer(180, tag=f"fork{number}", Contact="<sip:peer@192.0.2.9>")
    assert len(session.early) == 32
    for number in range(100):
        peer.answer(200, tag=f"fork{number}", Contact="<sip:peer@192.0.2.9>")
    assert peer.agent.counters["extra_answers"] == 15
