"""Replaces (RFC 3891): the header in all its forms, the dialog it means, and the verdicts; Join is not ours."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.sip.errors import Malformed
from santral.sip.events import IncomingInvite
from santral.sip.session import Replaces
from santral.sip.session.values import replaces_in
from santral.sip.uri import NameAddr

TOKEN = st.text("abcXYZ019.-_~", min_size=1, max_size=12)


@given(TOKEN, TOKEN, TOKEN, st.booleans())
def test_written_and_read(call_id: str, to_tag: str, from_tag: str, early: bool) -> None:
    replaces = Replaces(f"{call_id}@host", to_tag, from_tag, early)
    assert Replaces.parse(str(replaces)) == replaces
    target = NameAddr.parse(f"<sip:carol@example.com?{replaces.escaped()}&X=y>")
    assert replaces_in(target.uri) == replaces


@pytest.mark.parametrize(
    "text",
    [
        "", "id", "id;to-tag=a", "id;from-tag=b", ";to-tag=a;from-tag=b", "id;to-tag;from-tag=b",
        "id;to-tag=a;to-tag=b", "id;to-tag=a;from-tag=b;from-tag=c",
        "id\r\nX: y;to-tag=a;from-tag=b", 'id;to-tag=a;from-tag="b\n"', "i\0d;to-tag=a;from-tag=b",
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(Malformed):
        Replaces.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "id@h;to-tag=a;from-tag=b",
        "id@h;from-tag=b;to-tag=a",
        " id@h ; To-Tag=a ; FROM-TAG=b ;x=y",
        "id@h;to-tag=a;from-tag=b;other",
    ],
)
def test_what_is_one(text: str) -> None:
    assert Replaces.parse(text) == Replaces("id@h", "a", "b")


@pytest.mark.parametrize("escaped", ["Replaces", "%52eplaces", "replaces"])
def test_escaped_in_a_uri(escaped: str) -> None:
    uri = NameAddr.parse(f"<sip:c@d?X=1&{escaped}=id%40h%3Bto-tag%3Da%3bfrom-tag%3Db%3Bearly-only>").uri
    assert replaces_in(uri) == Replaces("id@h", "a", "b", early_only=True)
    assert replaces_in(NameAddr.parse("<sip:c@d?X=1>").uri) is None
    assert replaces_in(NameAddr.parse("<sip:c@d>").uri) is None


# -- the verdicts ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(make_pair: Callable[..., Any]) -> Any:
    """Both sides have Replaces; a third party will call Bob."""
    made = make_pair(supported=("replaces",))
    made.carol = made.network.node("carol", supported=("replaces",))
    return made


def verdict(pair: Any, node: Any, local: str, remote: str, call_id: str = "", *, early: bool = False) -> Any:
    """Carol calls this node with Replaces; what it is told."""
    value = str(Replaces(call_id or pair.caller.call_id, local, remote, early))
    pair.carol.call(node, headers=[("Replaces", value), ("Require", "replaces")])
    pair.network.run(0.05)
    return node.got(IncomingInvite)[-1].replaces


def test_a_session_is_found_by_both_tags(pair: Any, sdp: bytes) -> None:
    pair.establish(sdp)
    ours, theirs = pair.callee.local_tag, pair.caller.local_tag
    found = verdict(pair, pair.b, ours, theirs)
    assert (found.status, found.session) == (0, pair.callee)
    found = verdict(pair, pair.a, theirs, ours)
    assert (found.status, found.session) == (0, pair.caller)
    for local, remote, call_id in ((ours, "x", ""), ("x", theirs, ""), (theirs, ours, ""), (ours, theirs, "other")):
        found = verdict(pair, pair.b, local, remote, call_id)
        assert (found.status, found.session) == (481, None)
    assert pair.b.agent.find_session(pair.caller.call_id, ours, theirs) is pair.callee
    assert pair.b.agent.find_session(pair.caller.call_id, ours, "x") is None
    assert pair.b.agent.find_session("other", ours, theirs) is None


def test_early_only_is_too_late(pair: Any, sdp: bytes) -> None:
    pair.establish(sdp)
    found = verdict(pair, pair.b, pair.callee.local_tag, pair.caller.local_tag, early=True)
    assert found.status == 486


@pytest.mark.parametrize("early", [False, True])
def test_an_early_dialog_belongs_to_who_began_it(pair: Any, early: bool) -> None:
    pair.invite()
    pair.b.do(pair.callee.progress(180, pair.now))
    pair.network.run(0.05)
    found = verdict(pair, pair.a, pair.caller.local_tag, pair.callee.local_tag, early=early)
    assert (found.status, found.session) == (0, pair.caller)
    found = verdict(pair, pair.b, pair.callee.local_tag, pair.caller.local_tag, early=early)
    assert (found.status, found.session) == (481, None)


def test_what_is_over_is_declined(pair: Any, sdp: bytes) -> None:
    pair.establish(sdp)
    pair.network.filter = lambda sender, _: sender is pair.carol
    pair.b.do(pair.callee.bye(pair.now))
    assert verdict(pair, pair.b, pair.callee.local_tag, pair.caller.local_tag).status == 603


def test_a_peer_of_rfc_2543_has_no_tag(make_peer: Callable[..., Any]) -> None:
    peer = make_peer(supported=("replaces",))
    peer.request("INVITE", From="<sip:peer@example.com>")
    peer.take(peer.session.answer(0.0, body=b"v=0\r\n"))
    tag = peer.session.local_tag
    peer.request("INVITE", Call_ID="call-2", branch="z9hG4bK2", Replaces=f"call-1;to-tag={tag};from-tag=0")
    assert peer.events[-1].replaces.status == 0


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Replaces": "nonsense"}, 400),
        ({"Replaces": "a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2"}, 400),
        ({"Replaces": "a;to-tag=1;from-tag=2", "Join": "a;to-tag=1;from-tag=2"}, 400),
        ({"Require": "join", "Join": "a;to-tag=1;from-tag=2"}, 420),
        ({"Require": "precondition"}, 420),
    ],
)
def test_refused_by_the_agent(make_peer: Callable[..., Any], changes: dict[str, str], status: int) -> None:
    peer = make_peer(supported=("replaces",))
    assert peer.request("INVITE", **changes) == [str(status)]
    assert set(peer.agent.counts.values()) == {0}


def test_join_that_is_not_required_is_ignored(make_peer: Callable[..., Any]) -> None:
    peer = make_peer(supported=("replaces",))
    assert peer.request("INVITE", Join="a;to-tag=1;from-tag=2") == ["100"]
    assert peer.events[0].replaces is None


def test_without_the_option_it_is_not_looked_at(peer: Any) -> None:
    assert peer.request("INVITE", Replaces="nonsense") == ["100"]
    assert peer.events[0].replaces is None
    assert peer.request("INVITE", cseq=2, Replaces="a;to-tag=1;from-tag=2", Require="replaces") == ["420"]
