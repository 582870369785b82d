"""A challenge in the life of a request: the same once more with credentials, for every method, and an end to it."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.auth.account import Account
from santral.sip.auth.challenger import Challenger, Known, Proof
from santral.sip.auth.digest import ha1
from santral.sip.events import Answered, Ended, ReinviteAnswered, Rejected, RequestAnswered, Send
from santral.sip.message import Request, Response, make_response, serialise
from santral.sip.uri import NameAddr, Uri

REALM = "carrier.example"


@pytest.fixture
def trunk(make_peer: Callable[..., Any]) -> Any:
    """An agent that dials with an account, and the carrier that challenges it."""
    peer = make_peer()
    peer.account = Account("user", "secret")
    peer.challenger = Challenger(random.Random(2).randbytes, ("SHA-256", "MD5"))
    return peer


def requests(peer: Any, method: str) -> list[Request]:
    return [message for _, message in peer.sent if isinstance(message, Request) and message.method == method]


def reply(peer: Any, request: Request, status: int, realm: str = REALM, tag: str = "theirs", **more: Any) -> list[str]:
    response = make_response(request, status, to_tag=tag)
    if status in (401, 407):
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        for line in peer.challenger.challenges(realm, "here", peer.now, **more):
            response.headers.add(name, line)
    elif status < 300:
        response.headers.add("Contact", "<sip:them@192.0.2.9:5099>")
    return list(peer.take(peer.agent.receive(serialise(response), peer.hop, peer.now)))


def judge(peer: Any, request: Request, password: str = "secret") -> Proof:
    secrets = {name: ha1(name, "user", REALM, password) for name in ("MD5", "SHA-256")}
    return peer.challenger.verify(request, REALM, "here", lambda *_: Known("user", secrets), peer.now).proof  # type: ignore[no-any-return]


def dial(peer: Any, account: Any = ...) -> Any:
    session, actions = peer.agent.invite(
        hop=peer.hop,
        uri=Uri.parse("sip:100@192.0.2.9:5099"),
        from_=NameAddr.parse("<sip:me@here>"),
        to=NameAddr.parse("<sip:100@there>"),
        body=b"v=0\r\n",
        account=peer.account if account is ... else account,
        now=peer.now,
    )
    peer.take(actions)
    return session


def connect(peer: Any, *, challenged: bool = True) -> Any:
    session = dial(peer)
    if challenged:
        reply(peer, requests(peer, "INVITE")[-1], 407, tag="proxy")
    reply(peer, requests(peer, "INVITE")[-1], 200)
    assert any(isinstance(event, Answered) for event in peer.events)
    return session


@pytest.mark.parametrize("status", [401, 407])
def test_an_invite_is_sent_again_with_credentials(trunk: Any, status: int) -> None:
    session = dial(trunk)
    (first,) = requests(trunk, "INVITE")
    assert reply(trunk, first, 100, tag="") == []
    assert reply(trunk, first, status) == ["ACK", "INVITE"]
    second = requests(trunk, "INVITE")[1]
    assert judge(trunk, second) is Proof.GOOD
    assert (second.call_id, second.from_.tag, second.to.tag) == (first.call_id, first.from_.tag, None)
    assert second.cseq.number == first.cseq.number + 1
    assert second.via.branch != first.via.branch
    assert second.body == first.body
    assert not [event for event in trunk.events if isinstance(event, Rejected)]
    reply(trunk, second, 200)
    ack = requests(trunk, "ACK")[-1]
    assert ack.cseq.number == second.cseq.number
    name = "Authorization" if status == 401 else "Proxy-Authorization"
    assert ack.headers.get(name) == second.headers.get(name)  # RFC 3261 22.1
    assert session.state == "confirmed"


def test_wrong_credentials_end_in_a_refusal_not_in_a_loop(trunk: Any) -> None:
    dial(trunk)
    for _ in range(5):
        reply(trunk, requests(trunk, "INVITE")[-1], 401)
        trunk.now += 0.01
    assert len(requests(trunk, "INVITE")) == 3  # as it was, with credentials, and once more for a fresh nonce
    assert [event.status for event in trunk.events if isinstance(event, Rejected)] == [401]


def test_the_same_nonce_again_ends_it_at_once(trunk: Any) -> None:
    dial(trunk)
    (first,) = requests(trunk, "INVITE")
    lines = trunk.challenger.challenges(REALM, "here", trunk.now)
    trunk.challenger.challenges = lambda *_args, **_more: lines
    reply(trunk, first, 401)
    reply(trunk, requests(trunk, "INVITE")[1], 401)
    assert len(requests(trunk, "INVITE")) == 2
    assert [event.status for event in trunk.events if isinstance(event, Rejected)] == [401]


def test_stale_nonces_are_answered_a_bounded_number_of_times(trunk: Any) -> None:
    dial(trunk)
    for _ in range(9):
        reply(trunk, requests(trunk, "INVITE")[-1], 401, stale=True)
        trunk.now += 0.01
    assert len(requests(trunk, "INVITE")) == 5
    assert [event.status for event in trunk.events if isinstance(event, Rejected)] == [401]


def test_a_foreign_realm_is_not_answered(trunk: Any) -> None:
    trunk.account.realm = REALM
    dial(trunk)
    assert reply(trunk, requests(trunk, "INVITE")[0], 401, realm="phisher.example") == ["ACK"]
    assert [event.status for event in trunk.events if isinstance(event, Rejected)] == [401]


def test_without_an_account_it_is_a_refusal(trunk: Any) -> None:
    dial(trunk, None)
    assert reply(trunk, requests(trunk, "INVITE")[0], 407) == ["ACK"]
    assert [event.status for event in trunk.events if isinstance(event, Rejected)] == [407]


def test_a_cancelled_invite_is_not_sent_again(trunk: Any) -> None:
    session = dial(trunk)
    (first,) = requests(trunk, "INVITE")
    trunk.take(session.cancel(trunk.now))
    assert reply(trunk, first, 407) == ["ACK"]
    assert [event.cause for event in trunk.events if isinstance(event, Rejected)] == ["cancelled"]


def test_a_cancel_after_the_challenge_reaches_the_second_invite(trunk: Any) -> None:
    session = dial(trunk)
    reply(trunk, requests(trunk, "INVITE")[0], 180)
    reply(trunk, requests(trunk, "INVITE")[0], 407, tag="proxy")
    second = requests(trunk, "INVITE")[1]
    trunk.take(session.cancel(trunk.now))
    assert requests(trunk, "CANCEL") == []  # nothing heard of the second one yet (RFC 3261 9.1)
    reply(trunk, second, 180)
    (cancel,) = requests(trunk, "CANCEL")
    assert cancel.via.branch == second.via.branch
    reply(trunk, second, 487)
    assert [event.cause for event in trunk.events if isinstance(event, Rejected)] == ["cancelled"]


@pytest.mark.parametrize("challenged", [False, True])
def test_a_re_invite_and_a_bye_are_challenged_too(trunk: Any, challenged: bool) -> None:
    session = connect(trunk, challenged=challenged)
    trunk.take(session.reinvite(trunk.now, b"v=0\r\n"))
    reply(trunk, requests(trunk, "INVITE")[-1], 401)
    again = requests(trunk, "INVITE")[-1]
    assert judge(trunk, again) is Proof.GOOD
    reply(trunk, again, 200)
    assert any(isinstance(event, ReinviteAnswered) for event in trunk.events)
    assert requests(trunk, "ACK")[-1].cseq.number == again.cseq.number
    assert requests(trunk, "ACK")[-1].headers.get("Authorization")
    trunk.take(session.bye(trunk.now))
    assert isinstance(trunk.events[-1], Ended)
    reply(trunk, requests(trunk, "BYE")[0], 407)
    bye = requests(trunk, "BYE")[1]
    assert judge(trunk, bye) is Proof.GOOD
    assert bye.cseq.number == again.cseq.number + 2
    reply(trunk, bye, 200)
    trunk.tick(200)
    assert set(trunk.agent.counts.values()) == {0}


def test_another_request_keeps_its_key(trunk: Any) -> None:
    session = connect(trunk)
    key, actions = session.send("INFO", trunk.now, body=b"x", content_type="text/plain")
    trunk.take(actions)
    assert reply(trunk, requests(trunk, "INFO")[0], 401) == ["INFO"]
    assert reply(trunk, requests(trunk, "INFO")[1], 200) == []
    answered = [event for event in trunk.events if isinstance(event, RequestAnswered)]
    assert [(event.key, event.response.status) for event in answered] == [(key, 200)]


def test_silence_after_a_challenge_is_told_under_the_first_key(trunk: Any) -> None:
    session = connect(trunk)
    key, actions = session.send("INFO", trunk.now, body=b"x", content_type="text/plain")
    trunk.take(actions)
    reply(trunk, requests(trunk, "INFO")[0], 401)
    for _ in range(80):
        trunk.tick(0.5)
    assert [event.key for event in trunk.events if type(event).__name__ == "RequestFailed"] == [key]


def test_a_session_the_peer_began_proves_nothing(trunk: Any) -> None:
    session = trunk.established()
    trunk.take(session.bye(trunk.now))
    assert reply(trunk, requests(trunk, "BYE")[0], 401) == []


def test_credentials_go_to_the_host_that_was_dialled_only(trunk: Any) -> None:
    session = connect(trunk)
    session.dialog.next_hop = trunk.hop._replace(host="198.51.100.1")
    trunk.take(session.bye(trunk.now))
    assert reply(trunk, requests(trunk, "BYE")[0], 401) == []


def test_a_request_outside_any_session(trunk: Any) -> None:
    key, actions = trunk.agent.request(
        method="REGISTER",
        hop=trunk.hop,
        uri=Uri.parse("sip:carrier.example"),
        from_=NameAddr.parse("<sip:me@carrier.example>"),
        to=NameAddr.parse("<sip:me@carrier.example>"),
        headers=(("Contact", "<sip:me@192.0.2.1>"),),
        call_id="register-1",
        cseq=7,
        account=trunk.account,
        now=trunk.now,
    )
    assert any(isinstance(action, Send) for action in actions)
    trunk.take(actions)
    reply(trunk, requests(trunk, "REGISTER")[0], 401)
    second = requests(trunk, "REGISTER")[1]
    assert (second.call_id, second.cseq.number) == ("register-1", 8)
    assert judge(trunk, second) is Proof.GOOD
    reply(trunk, second, 200)
    answered = trunk.events[-1]
    assert (answered.key, answered.response.cseq.number) == (key, 8)
    assert isinstance(answered.response, Response)
