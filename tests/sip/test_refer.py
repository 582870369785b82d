"""REFER and what follows it: sipfrag by NOTIFY, refusals, Refer-Sub, crossings with BYE; other subscriptions."""

from collections.abc import Callable
from typing import Any

import pytest

from santral.sip.errors import LocalError
from santral.sip.events import (
    Ended,
    Notified,
    Referred,
    Resubscribed,
    Subscribed,
    SubscriptionAnswered,
    SubscriptionEnded,
)
from santral.sip.message import Request, make_response, serialise
from santral.sip.session import sipfrag_status, subscription
from santral.sip.ua.subscribing import SUBSCRIPTION, Act, Standing, Word
from santral.sip.uri import NameAddr, Uri

CAROL = "<sip:carol@example.com>"
ALL = ("REFER", "NOTIFY", "SUBSCRIBE", "UPDATE", "PRACK")


@pytest.fixture
def pair(make_pair: Callable[..., Any], sdp: bytes) -> Any:
    """An established session between two that know REFER."""
    return make_pair(*ALL, supported=("norefersub", "replaces"), event_packages=("dialog",)).establish(sdp)


def causes(node: Any) -> list[str]:
    return [event.cause for event in node.got(SubscriptionEnded)]


def told(node: Any) -> list[tuple[str, int]]:
    return [(event.state, sipfrag_status(event.request)) for event in node.got(Notified)]


def address(node: Any) -> dict[str, Any]:
    return {
        "hop": node.hop,
        "uri": Uri.parse(f"sip:{node.name}@192.0.2.1:{node.hop.port}"),
        "from_": NameAddr.parse("<sip:me@example.com>"),
        "to": NameAddr.parse("<sip:you@example.com>"),
    }


def refer(pair: Any, *, by_caller: bool = True, **more: Any) -> tuple[Any, Any]:
    """Alice (or Bob) refers the other; the two subscriptions."""
    us, ours, them = (pair.a, pair.caller, pair.b) if by_caller else (pair.b, pair.callee, pair.a)
    made, actions = ours.refer(pair.now, CAROL, **more)
    us.do(actions)
    pair.network.run(0.05)
    return made, them.got(Referred)[-1].subscription


# -- REFER in a session ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_caller", [True, False])
def test_a_referral_is_told_to_its_end(pair: Any, by_caller: bool) -> None:
    made, taken = refer(pair, by_caller=by_caller, referred_by="<sip:alice@example.com>")
    us, them = (pair.a, pair.b) if by_caller else (pair.b, pair.a)
    referred = them.got(Referred)[0]
    assert str(referred.refer_to) == CAROL
    assert referred.request.headers.get("Referred-By") == "<sip:alice@example.com>"
    assert referred.session is (pair.callee if by_caller else pair.caller)
    them.do(taken.accept(pair.now))
    pair.network.run(0.05)
    for status in (180, 183, 200):
        them.do(taken.notify_status(pair.now, status))
        pair.network.run(0.05)
    assert told(us) == [("active", 100), ("active", 180), ("active", 183), ("terminated", 200)]
    notify = pair.network.messages("NOTIFY")[0]
    assert notify.content_type == "message/sipfrag"
    assert notify.headers.get("Event") == "refer"
    assert notify.headers.get("Subscription-State") == "active;expires=180"
    assert pair.network.wire()[:3] == ["REFER", "202 REFER", "NOTIFY"]
    assert pair.network.messages("NOTIFY")[-1].headers.get("Subscription-State") == "terminated;reason=noresource"
    assert len(us.got(SubscriptionAnswered)) == 1
    assert (causes(us), causes(them)) == (["terminated"], ["local"])
    assert made.state == taken.state == "ended"
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_referral_refused(pair: Any) -> None:
    _, taken = refer(pair)
    pair.b.do(taken.reject(603, pair.now))
    pair.network.run(0.05)
    (ended,) = pair.a.got(SubscriptionEnded)
    assert (ended.cause, ended.status) == ("rejected", 603)
    assert causes(pair.b) == ["local"]
    assert pair.b.do(taken.notify_status(pair.now, 200)) is None
    assert "NOTIFY" not in pair.network.wire()
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_without_a_subscription(pair: Any) -> None:
    _, taken = refer(pair, subscribes=False)
    assert not taken.subscribes
    pair.b.do(taken.accept(pair.now))
    pair.b.do(taken.notify_status(pair.now, 200))
    pair.network.run(0.05)
    assert pair.network.wire() == ["REFER", "202 REFER"]
    assert pair.network.messages("202 REFER")[0].headers.get("Refer-Sub") == "false"
    assert (causes(pair.a), causes(pair.b)) == (["terminated"], ["local"])
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_peer_may_decline_to_tell(pair: Any) -> None:
    made, taken = refer(pair)
    taken.subscribes = False
    pair.b.do(taken.accept(pair.now))
    pair.network.run(0.05)
    assert causes(pair.a) == ["terminated"]  # Refer-Sub: false in the 202 (RFC 4488 section 4)
    assert made.state == "ended"


def test_several_referrals_are_told_apart(pair: Any) -> None:
    first, first_taken = refer(pair)
    second, second_taken = refer(pair)
    for taken in (second_taken, first_taken):
        pair.b.do(taken.accept(pair.now))
    pair.network.run(0.05)
    pair.b.do(second_taken.notify_status(pair.now, 486))
    pair.network.run(0.05)
    assert [m.headers.get("Event") for m in pair.network.messages("NOTIFY")] == ["refer;id=3", "refer", "refer;id=3"]
    ended = pair.a.got(SubscriptionEnded)
    assert [event.subscription for event in ended] == [second]
    assert first.state == "told"
    pair.b.do(first_taken.notify_status(pair.now, 200))
    pair.network.run(0.05)
    assert [event.subscription for event in ended + pair.a.got(SubscriptionEnded)[1:]] == [second, first]
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_bye_leaves_the_subscription_standing(pair: Any) -> None:
    """RFC 5057: the transferor hangs up, and is told all the same."""
    _, taken = refer(pair)
    pair.b.do(taken.accept(pair.now))
    pair.network.run(0.05)
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(0.1)
    assert pair.a.agent.counts["sessions"] == pair.b.agent.counts["sessions"] == 0
    assert pair.a.agent.counts["subscriptions"] == pair.b.agent.counts["subscriptions"] == 1
    pair.b.do(taken.notify_status(pair.now, 180))
    pair.network.run(0.05)
    pair.b.do(taken.notify_status(pair.now, 200))
    pair.network.run(0.05)
    assert told(pair.a) == [("active", 100), ("active", 180), ("terminated", 200)]
    numbers = [m.cseq.number for m in pair.network.messages("NOTIFY")]
    assert numbers == sorted(set(numbers))
    pair.assert_over("local", "bye")


@pytest.mark.parametrize("first", ["REFER", "BYE"])
def test_refer_crosses_bye(pair: Any, first: str) -> None:
    made, actions = pair.caller.refer(pair.now, CAROL)
    pair.a.do(actions)
    if first == "REFER":
        pair.network.run(0.05)
        pair.b.do(pair.callee.bye(pair.now))
        pair.network.run(0.05)
        taken = pair.b.got(Referred)[0].subscription
        pair.b.do(taken.accept(pair.now))  # the transfer is still wanted
        pair.network.run(0.05)
        pair.b.do(taken.notify_status(pair.now, 200))
        pair.network.run(0.05)
        assert causes(pair.a) == ["terminated"]
    else:
        pair.b.do(pair.callee.bye(pair.now))
        pair.network.run(0.1)
        assert not pair.b.got(Referred)
        assert [(e.cause, e.status) for e in pair.a.got(SubscriptionEnded)] == [("rejected", 481)]
    pair.network.assert_quiet()
    assert (pair.terminals(), made.state) == ((["bye"], ["local"]), "ended")


def test_a_session_that_is_over_refers_nobody(pair: Any) -> None:
    pair.a.do(pair.caller.bye(pair.now))
    made, actions = pair.caller.refer(pair.now, CAROL)
    pair.a.do(actions)
    assert [(e.subscription, e.cause) for e in pair.a.got(SubscriptionEnded)] == [(made, "rejected")]
    pair.assert_over("local", "bye")


@pytest.mark.parametrize("target", ["", "<sip:a@b", "sip:a@b\r\nX: y"])
def test_a_target_of_ours_that_is_none(pair: Any, target: str) -> None:
    with pytest.raises(LocalError):
        pair.caller.refer(pair.now, target)


@pytest.mark.parametrize("lines", [[], [CAROL, CAROL], [f"{CAROL}, {CAROL}"], ["<sip:carol"], ["<sip:c@d?Replaces=x>"]])
def test_a_target_of_theirs_that_is_none(make_peer: Callable[..., Any], lines: list[str]) -> None:
    peer = make_peer_with_refer(make_peer)
    peer.established()
    text = peer.text_of("REFER", 2, "z9hG4bKr", To=f"<sip:us@192.0.2.1>;tag={peer.session.local_tag}")
    text = text.replace("Content-Length", "".join(f"Refer-To: {line}\r\n" for line in lines) + "Content-Length")
    assert peer.say(text) == ["400"]
    assert not [event for event in peer.events if isinstance(event, Referred)]


def make_peer_with_refer(make_peer: Callable[..., Any]) -> Any:
    return make_peer(more=ALL)


def test_replaces_in_the_target(pair: Any) -> None:
    target = "<sip:carol@example.com?Replaces=abc%40host%3Bto-tag%3D1%3Bfrom-tag%3D2%3Bearly-only&Require=replaces>"
    pair.a.do(pair.caller.refer(pair.now, target)[1])
    pair.network.run(0.05)
    replaces = pair.b.got(Referred)[0].replaces
    assert (replaces.call_id, replaces.to_tag, replaces.from_tag, replaces.early_only) == ("abc@host", "1", "2", True)


# -- NOTIFY ------------------------------------------------------------------------------------------------------------


def test_one_notify_at_a_time_and_the_newest_next(pair: Any) -> None:
    _, taken = refer(pair)
    lost = lambda _, m: not (isinstance(m, Request) and m.method == "NOTIFY")  # noqa: E731
    pair.network.filter = lost
    pair.b.do(taken.accept(pair.now))
    for status in (180, 183, 200):
        pair.b.do(taken.notify_status(pair.now, status))
    assert causes(pair.b) == ["local"]
    pair.network.run(0.3)
    pair.network.filter = lambda *_: True
    pair.network.run(2)
    assert told(pair.a) == [("active", 100), ("terminated", 200)]
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_notify_may_overtake_the_202(pair: Any) -> None:
    _, taken = refer(pair)
    fate = iter([False])
    pair.network.filter = lambda _, m: isinstance(m, Request) or m.cseq.method != "REFER" or next(fate, True)
    pair.b.do(taken.accept(pair.now))
    pair.network.run(0.05)
    assert told(pair.a) == [("active", 100)]
    assert not pair.a.got(SubscriptionAnswered)
    pair.network.run(1)
    assert len(pair.a.got(SubscriptionAnswered)) == 1
    pair.b.do(taken.notify_status(pair.now, 200))
    pair.network.run(0.05)
    assert causes(pair.a) == ["terminated"]


@pytest.mark.parametrize("status", [481, 489, 405])
def test_a_peer_that_knows_the_subscription_no_more(pair: Any, status: int) -> None:
    _, taken = refer(pair)
    pair.network.filter = lambda sender, m: sender is pair.a or not isinstance(m, Request)
    pair.b.do(taken.accept(pair.now))
    notify = pair.network.messages("NOTIFY")[0]
    pair.network.deliver(serialise(make_response(notify, status)), pair.b, pair.a.hop)
    assert causes(pair.b) == ["lost"]
    assert pair.callee.state == "confirmed"  # only that usage (RFC 5057)
    pair.network.filter = lambda *_: True
    pair.a.do(pair.caller.bye(pair.now))
    pair.network.run(100)
    assert causes(pair.a) == ["expired"]
    pair.assert_over("local", "bye")


def test_silence_of_the_subscriber(pair: Any) -> None:
    _, taken = refer(pair)
    pair.network.filter = lambda sender, _: sender is pair.a
    pair.b.do(taken.accept(pair.now))
    pair.network.run(40)
    assert causes(pair.b) == ["lost"]


def test_a_referral_nobody_reports_on_expires(pair: Any) -> None:
    _, taken = refer(pair)
    pair.b.do(taken.accept(pair.now))
    pair.network.run(181)
    assert (causes(pair.b), causes(pair.a)) == (["expired"], ["terminated"])
    assert pair.a.got(Notified)[-1].reason == "timeout"
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_referral_nobody_decides_on(pair: Any) -> None:
    _, taken = refer(pair)
    pair.network.run(33)
    assert (causes(pair.b), causes(pair.a)) == (["expired"], ["rejected"])
    assert pair.b.do(taken.accept(pair.now)) is None
    assert "202 REFER" not in pair.network.wire()


def test_a_stranger_s_notify(pair: Any, make_peer: Callable[..., Any]) -> None:
    peer = make_peer_with_refer(make_peer)
    peer.established()
    assert peer.inside("NOTIFY", 2, Event="refer", Subscription_State="active") == ["481"]
    assert peer.inside("NOTIFY", 3, Event="talk", Subscription_State="active") == ["489"]
    assert peer.inside("NOTIFY", 4, Subscription_State="active") == ["489"]
    assert peer.request("NOTIFY", cseq=9, Event="refer", Subscription_State="active") == ["481"]
    assert peer.session.state == "confirmed"


# -- outside a session: REFER, BLF, MWI --------------------------------------------------------------------------------


def test_refer_outside_a_session(pair: Any) -> None:
    made, actions = pair.a.agent.refer(**address(pair.b), refer_to=CAROL, now=pair.now)
    pair.a.do(actions)
    pair.network.run(0.05)
    referred = pair.b.got(Referred)[0]
    assert referred.session is None
    pair.b.do(referred.subscription.accept(pair.now))
    pair.network.run(0.05)
    pair.b.do(referred.subscription.notify_status(pair.now, 200))
    pair.network.run(0.05)
    assert told(pair.a) == [("active", 100), ("terminated", 200)]
    assert causes(pair.a) == ["terminated"]
    assert made.dialog.remote_tag == referred.subscription.local_tag
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def subscribe(pair: Any, expires_s: int = 3600) -> tuple[Any, Any]:
    made, actions = pair.a.agent.subscribe(**address(pair.b), event="dialog", expires_s=expires_s, now=pair.now)
    pair.a.do(actions)
    pair.network.run(0.05)
    return made, pair.b.got(Subscribed)[-1].subscription


def state(pair: Any, taken: Any, text: bytes = b"<x/>") -> None:
    pair.b.do(taken.notify(pair.now, text, "application/dialog-info+xml"))
    pair.network.run(0.05)


def test_a_subscription_lives_by_refreshes_until_it_is_given_up(pair: Any) -> None:
    pair.b.react = lambda event: state(pair, event.subscription) if isinstance(event, Resubscribed) else None
    made, taken = subscribe(pair)
    assert (taken.event, taken.expires_s) == ("dialog", 3600)
    pair.b.do(taken.accept(pair.now, 600))
    state(pair, taken)
    pair.network.run(0.05)
    assert pair.network.messages("200 SUBSCRIBE")[0].headers.get("Expires") == "600"
    assert pair.network.messages("NOTIFY")[0].headers.get("Subscription-State") in (
        "active;expires=600", "active;expires=599",
    )  # fmt: skip
    pair.network.run(1800)
    assert pair.network.wire().count("SUBSCRIBE") == 4
    assert taken.state == "telling"
    pair.a.do(made.unsubscribe(pair.now))
    pair.network.run(0.1)
    assert pair.network.messages("SUBSCRIBE")[-1].headers.get("Expires") == "0"
    last = pair.network.messages("NOTIFY")[-1]
    assert last.headers.get("Subscription-State") == "terminated;reason=timeout"
    assert last.body == b"<x/>"
    assert (causes(pair.a), causes(pair.b)) == (["local"], ["terminated"])
    pair.a.do(pair.caller.bye(pair.now))
    pair.assert_over("local", "bye")


def test_a_subscription_for_one_look(pair: Any) -> None:
    _, taken = subscribe(pair, 0)
    pair.b.do(taken.accept(pair.now))
    assert taken.is_ending
    state(pair, taken)
    assert pair.network.messages("200 SUBSCRIBE")[0].headers.get("Expires") == "0"
    assert [event.state for event in pair.a.got(Notified)] == ["terminated"]
    assert causes(pair.b) == ["terminated"]


def test_the_notifier_ends_it(pair: Any) -> None:
    _, taken = subscribe(pair)
    pair.b.do(taken.accept(pair.now))
    state(pair, taken)
    pair.b.do(taken.terminate(pair.now, "deactivated", retry_after_s=5))
    pair.network.run(0.05)
    last = pair.a.got(Notified)[-1]
    assert (last.state, last.reason) == ("terminated", "deactivated")
    assert last.request.headers.get("Subscription-State") == "terminated;reason=deactivated;retry-after=5"


def test_the_subscriber_is_gone(pair: Any) -> None:
    _, taken = subscribe(pair, 120)
    pair.b.do(taken.accept(pair.now))
    state(pair, taken)
    pair.a.agent._core.subscriptions.clear()
    state(pair, taken)
    assert causes(pair.b) == ["lost"]


def test_a_subscription_that_is_refused(pair: Any) -> None:
    _, taken = subscribe(pair)
    pair.b.do(taken.reject(423, pair.now, [("Min-Expires", "7200")]))
    pair.network.run(0.05)
    (ended,) = pair.a.got(SubscriptionEnded)
    assert (ended.cause, ended.status, ended.response.headers.get("Min-Expires")) == ("rejected", 423, "7200")


def test_an_event_we_do_not_serve(make_peer: Callable[..., Any]) -> None:
    peer = make_peer_with_refer(make_peer)
    for number, event in enumerate(("presence", "", "refer", "a b", ";id=3")):
        assert peer.request("SUBSCRIBE", cseq=number, branch=f"z9hG4bK{number}", Event=event) == ["489"]
        assert peer.last.headers.get("Allow-Events") == "refer"


def test_a_notify_makes_the_dialog_when_it_comes_first_and_other_forks_get_481(pair: Any) -> None:
    made, taken = subscribe(pair)
    pair.network.filter = lambda sender, m: sender is pair.a or isinstance(m, Request) or m.status != 200
    pair.b.do(taken.accept(pair.now))
    state(pair, taken)
    assert made.dialog is not None
    assert made.state == "told"
    notify = pair.network.messages("NOTIFY")[0]
    notify.headers.set("From", "<sip:you@example.com>;tag=fork")
    notify.headers.set("Via", "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKfork")
    pair.network.deliver(serialise(notify), pair.a, pair.b.hop)
    assert pair.network.wire(pair.a)[-1] == "481 NOTIFY"


def test_too_many_in_one_dialog(make_peer: Callable[..., Any]) -> None:
    peer = make_peer_with_refer(make_peer)
    peer.established()
    answers = [peer.inside("REFER", cseq, Refer_To=CAROL) for cseq in range(2, 12)]
    assert answers == [[]] * 8 + [["503"]] * 2


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"SIP/2.0 180 Ringing\r\n", 180), (b"SIP/2.0 200", 200), (b"", 0), (b"SIP/2.0 99 x", 0), (b"HTTP/1.1 200 OK", 0)],
)
def test_sipfrag(body: bytes, status: int) -> None:
    assert sipfrag_status(Request("NOTIFY", Uri.parse("sip:a@b"), None, body)) == status


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_table_is_walked() -> None:
    used = {act for _, todo in SUBSCRIPTION.values() for act in todo}
    assert used == set(Act) == set(subscription._PERFORM)
    assert {word for _, word in SUBSCRIPTION} == set(Word) - {Word.NOTIFIED} | {Word.NOTIFIED}
    reached = {Standing.ASKED, Standing.ASKING} | {to for to, _ in SUBSCRIPTION.values()}
    assert reached == set(Standing)


@pytest.mark.parametrize("row", SUBSCRIPTION, ids=str)
def test_every_end_is_told_once_and_closes(row: tuple[Standing, Word]) -> None:
    over = {Standing.LAST, Standing.ENDED}
    (stage, _), (to, todo) = row, SUBSCRIPTION[row]
    ends = [act for act in todo if act.value.startswith("SubscriptionEnded")]
    assert len(ends) == (stage not in over and to in over)
    assert (Act.CLOSE in todo) == (to is Standing.ENDED)
    assert stage is not Standing.ENDED


def test_the_end_of_the_session_is_told_besides(pair: Any) -> None:
    _, taken = refer(pair)
    pair.b.do(taken.accept(pair.now))
    pair.b.do(pair.callee.bye(pair.now))
    pair.network.run(0.1)
    assert [event.cause for event in pair.a.got(Ended)] == ["bye"]
    assert not pair.a.got(SubscriptionEnded)
