"""Dialogs as values: identity, routes, targets, sequence numbers, and which URIs name a hop."""

import pytest

from santral.sip.errors import RemoteError
from santral.sip.events import Hop
from santral.sip.message import Request, Response, make_response, parse_message
from santral.sip.ua.dialog import Dialog, numeric_hop
from santral.sip.uri import Uri

BASE = Hop("udp", "192.0.2.9", 5060, "lan")
SPOKEN = {("lan", "udp"), ("lan", "tcp"), ("wan", "udp")}


def invite(*more: str) -> Request:
    lines = (
        "INVITE sip:bob@192.0.2.1 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1",
        'From: "A, B" <sip:alice@example.com>;tag=a',
        "To: <sip:bob@example.com>",
        "Call-ID: c",
        "CSeq: 7 INVITE",
        *more,
        "",
        "",
    )
    message = parse_message("\r\n".join(lines).encode())
    assert isinstance(message, Request)
    return message


def ok(*more: tuple[str, str]) -> Response:
    response = make_response(invite(), 200, to_tag="b")
    for name, value in more:
        response.headers.add(name, value)
    return response


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:a@192.0.2.9", BASE),
        ("sip:a@192.0.2.9:5070", Hop("udp", "192.0.2.9", 5070, "lan")),
        ("sip:a@192.0.2.9;transport=TCP", Hop("tcp", "192.0.2.9", 5060, "lan")),
        ("sip:a@[2001:db8::1]:5070", Hop("udp", "2001:db8::1", 5070, "lan")),
        ("sip:a@192.0.2.9;transport=tls", None),
        ("sips:a@192.0.2.9", None),
        ("sip:a@host.example", None),
        ("sip:a@1.2.3", None),
        ("tel:+90312", None),
    ],
)
def test_which_uris_name_a_hop(uri: str, expected: Hop | None) -> None:
    hop = numeric_hop(Uri.parse(uri), BASE, SPOKEN)
    assert hop == expected
    if hop == BASE:
        assert hop is BASE  # one object for all sessions with one peer


def test_the_two_sides_mirror_each_other() -> None:
    caller = Dialog.of_caller(ok(("Contact", "<sip:bob@192.0.2.1>")), None, BASE, SPOKEN)
    callee = Dialog.of_callee(invite("Contact: <sip:alice@192.0.2.9>"), "b", BASE, SPOKEN)
    assert (caller.local, caller.remote) == (callee.remote, callee.local)
    assert (caller.remote_tag, callee.remote_tag) == ("b", "a")
    assert (caller.local_cseq, callee.remote_cseq) == (7, 7)
    assert caller.call_id == callee.call_id == "c"
    assert "tag=a" in caller.local
    assert caller.local.startswith('"A, B" ')


def test_route_sets_run_in_opposite_directions() -> None:
    routes = "<sip:p1.example;lr>, <sip:192.0.2.70;lr>"
    callee = Dialog.of_callee(invite("Contact: <sip:a@192.0.2.9>", f"Record-Route: {routes}"), "b", BASE, SPOKEN)
    caller = Dialog.of_caller(ok(("Contact", "<sip:bob@192.0.2.1>"), ("Record-Route", routes)), None, BASE, SPOKEN)
    assert callee.routes == ("<sip:p1.example;lr>", "<sip:192.0.2.70;lr>")
    assert callee.next_hop is None
    assert caller.routes == callee.routes[::-1]
    assert caller.next_hop == Hop("udp", "192.0.2.70", 5060, "lan")


def test_a_strict_router_gets_the_request_uri() -> None:
    routes = "<sip:192.0.2.70>, <sip:p2.example;lr>"
    dialog = Dialog.of_callee(invite("Contact: <sip:a@192.0.2.9>", f"Record-Route: {routes}"), "b", BASE, SPOKEN)
    uri, route = dialog.address()
    assert str(uri) == "sip:192.0.2.70"
    assert route == ("<sip:p2.example;lr>", "<sip:a@192.0.2.9>")


def test_refresh_moves_the_hop_only_without_routes() -> None:
    plain = Dialog.of_callee(invite("Contact: <sip:a@192.0.2.9>"), "b", BASE, SPOKEN)
    routed = Dialog.of_callee(
        invite("Contact: <sip:a@192.0.2.9>", "Record-Route: <sip:192.0.2.70;lr>"), "b", BASE, SPOKEN
    )
    for dialog in (plain, routed):
        dialog.refresh(invite("Contact: <sip:a@192.0.2.50:7000>"), BASE, SPOKEN)
        assert str(dialog.target) == "sip:a@192.0.2.50:7000"
        dialog.refresh(invite(), BASE, SPOKEN)  # no Contact, no change
        assert str(dialog.target) == "sip:a@192.0.2.50:7000"
    assert plain.next_hop == Hop("udp", "192.0.2.50", 7000, "lan")
    assert routed.next_hop == Hop("udp", "192.0.2.70", 5060, "lan")


def test_an_answer_without_contact_falls_back_or_is_refused() -> None:
    target = Uri.parse("sip:bob@192.0.2.1")
    assert Dialog.of_caller(ok(), target, BASE, SPOKEN).target == target
    with pytest.raises(RemoteError):
        Dialog.of_caller(ok(), None, BASE, SPOKEN)


def test_sequence_numbers_only_grow() -> None:
    dialog = Dialog.of_callee(invite("Contact: <sip:a@192.0.2.9>"), "b", BASE, SPOKEN)
    assert [dialog.accepts(number) for number in (7, 6, 8, 8, 20, 9)] == [False, False, True, False, True, False]
    assert Dialog.of_caller(ok(("Contact", "<sip:b@h>")), None, BASE, SPOKEN).accepts(0)
