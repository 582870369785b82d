"""Requests that come back, by one way or several, and the headers against it (RFC 3261 8.2.2.2, RFC 5393)."""

from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.events import IncomingInvite, InDialog, Rejected, RequestAnswered, Stray
from santral.sip.message import Request, make_response, serialise
from santral.sip.uri import Uri


def turned_back(network: Any, node: Any, message: Request, uri: Uri | None = None) -> None:
    """A proxy sends our own request to us, its Via on top."""
    request = Request(message.method, uri or message.uri, message.headers.copy(), message.body)
    request.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.1:9999;branch=z9hG4bKproxy")
    network.deliver(serialise(request), node, network.nodes[5070].hop)


def test_our_own_request_unchanged_is_a_loop(pair: Any) -> None:
    pair.network.filter = lambda sender, _: sender is not pair.a
    pair.a.call(pair.b)
    turned_back(pair.network, pair.a, pair.network.messages("INVITE")[0])
    assert pair.network.wire()[-1] == "482 INVITE"
    assert not pair.a.got(IncomingInvite)


def test_our_own_request_to_another_address_is_a_spiral(pair: Any) -> None:
    """A carrier that forwards back to us somebody we serve: Max-Forwards ends it if it turns (RFC 3261 16.3)."""
    pair.network.filter = lambda sender, _: sender is not pair.a
    pair.a.call(pair.b)
    turned_back(pair.network, pair.a, pair.network.messages("INVITE")[0], Uri.parse("sip:another@192.0.2.1"))
    assert len(pair.a.got(IncomingInvite)) == 1


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_max_breadth_is_tolerated(peer: Any, method: str) -> None:
    """We do not fork, so that 1 is enough for us (RFC 5393 section 5)."""
    peer.request(method, Max_Breadth="1")
    assert isinstance(peer.events[0], (IncomingInvite, Stray))


def test_a_duplicate_of_an_invite_that_got_503(peer: Any) -> None:
    peer.request("INVITE", branch="z9hG4bKa")
    peer.take(peer.session.reject(503, 0.0))
    assert peer.request("INVITE", branch="z9hG4bKa") == ["503"]  # the same again
    assert peer.request("INVITE", branch="z9hG4bKb") == ["482"]  # by another way
    assert peer.request("INVITE", branch="z9hG4bKc", cseq=2) == ["100"]  # the next try


def test_redirection_comes_with_its_contacts(pair: Any) -> None:
    pair.invite()
    contacts = "<sip:one@192.0.2.7>;q=0.5, <sip:two@192.0.2.8>;q=1"
    pair.b.do(pair.callee.reject(302, pair.now, headers=[("Contact", contacts)]))
    pair.network.run()
    (rejected,) = pair.a.got(Rejected)
    assert [str(contact.uri) for contact in rejected.response.contacts] == ["sip:one@192.0.2.7", "sip:two@192.0.2.8"]
    pair.assert_over("response", "local")


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "INFO"])
def test_plain_requests_in_and_out_of_a_session(make_pair: Callable[..., Any], method: str, inside: bool) -> None:
    pair = make_pair("MESSAGE")
    pair.establish()
    if inside:
        key, actions = pair.caller.send(method, pair.now, (("X-Y", "z"),), b"hello", "text/plain")
    else:
        invite = pair.caller.request
        key, actions = pair.a.agent.request(
            method=method, hop=pair.b.hop, uri=invite.uri, from_=invite.from_.with_tag(None), to=invite.to,
            headers=(("X-Y", "z"),), body=b"hello", content_type="text/plain", now=pair.now,
        )  # fmt: skip
    pair.a.do(actions)
    pair.network.run(0.05)
    (asked,) = pair.b.got(InDialog if inside else Stray)
    assert (asked.request.body, asked.request.headers.get("X-Y")) == (b"hello", "z")
    pair.b.do(pair.b.agent.respond(asked.key, make_response(asked.request, 200), pair.now))
    pair.network.run(0.05)
    (answered,) = pair.a.got(RequestAnswered)
    assert (answered.key, answered.response.status) == (key, 200)
    assert answered.session is (pair.caller if inside else None)
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")
