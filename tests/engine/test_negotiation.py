"""Offers and answers between two legs, as values (RFC 3264, RFC 4733)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.calls import negotiation
from santral.sip.errors import NotAcceptable
from santral.sip.offer_answer import Codec, LocalStream, RemoteStream, remote_streams
from santral.sip.sdp import SessionDescription

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


def streams(*lines: str) -> tuple[RemoteStream, ...]:
    return remote_streams(SessionDescription.parse((HEAD + "".join(f"{line}\r\n" for line in lines)).encode()))


def caller(event: int = 101) -> RemoteStream:
    return streams(f"m=audio 4000 RTP/AVP 0 8 {event}", f"a=rtpmap:{event} telephone-event/8000", "a=sendrecv")[0]


def names(codecs: tuple[Codec, ...]) -> list[tuple[str, int]]:
    return [(codec.name, codec.payload_type) for codec in codecs]


def test_the_far_end_is_offered_what_its_trunk_allows_in_the_trunk_s_order() -> None:
    assert names(negotiation.offer_to_far_end(caller(), ("pcma", "pcmu"))) == [
        ("PCMA", 8), ("PCMU", 0), ("telephone-event", 101),
    ]  # fmt: skip
    assert names(negotiation.offer_to_far_end(caller(96), ("pcmu",))) == [("PCMU", 0), ("telephone-event", 96)]


def test_nothing_in_common_is_not_acceptable() -> None:
    with pytest.raises(NotAcceptable):
        negotiation.offer_to_far_end(streams("m=audio 4000 RTP/AVP 18")[0], ("pcma",))


def test_without_an_offer_everything_allowed_is_offered() -> None:
    assert names(negotiation.offer_to_far_end(None, ("pcma", "pcmu"))) == [
        ("PCMA", 8), ("PCMU", 0), ("telephone-event", 101),
    ]  # fmt: skip


def test_each_side_keeps_its_own_event_number() -> None:
    offered = negotiation.offer_to_far_end(caller(101), ("pcma", "pcmu"))
    answer = streams("m=audio 5000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000")[0]
    agreed = negotiation.agree(offered, answer)
    assert names(agreed.ours) == [("PCMU", 0), ("telephone-event", 101)]
    assert names(agreed.theirs) == [("PCMU", 0), ("telephone-event", 96)]
    media = negotiation.media_of(answer, agreed, "sendrecv", (), muxes=False)
    assert media.sends == {"PCMU/8000": 0, "telephone-event/8000": 96}
    assert media.receives == {0: "PCMU/8000", 101: "telephone-event/8000", 96: "telephone-event/8000"}


def test_the_caller_is_answered_with_its_own_numbers_and_one_codec() -> None:
    agreed = negotiation.answer_with(caller(98), "PCMA/8000", events=True)
    assert names(agreed.theirs) == [("PCMA", 8), ("telephone-event", 98)]
    assert names(negotiation.answer_with(caller(98), "PCMA/8000", events=False).theirs) == [("PCMA", 8)]


@pytest.mark.parametrize("line", ["m=audio 0 RTP/AVP 0", "m=audio 5000 RTP/AVP 18"])
def test_an_answer_that_takes_nothing_is_not_acceptable(line: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiation.agree(negotiation.offer_to_far_end(caller(), ("pcma",)), streams(line)[0])


def test_other_streams_are_refused_in_their_place() -> None:
    offered = streams("m=video 6000 RTP/AVP 96", "m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0")
    ours = LocalStream("audio", "192.0.2.9", 7000, (Codec("PCMU", 8000, 1, 0),))
    lines = negotiation.streams(offered, offered[1], ours)
    assert [(line.kind, line.port) for line in lines] == [("video", 0), ("audio", 7000), ("audio", 0)]
    assert negotiation.streams((), None, ours) == (ours,)


DIRECTIONS = st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])


@given(DIRECTIONS, DIRECTIONS)
def test_directions_meet_in_what_both_allow(one: str, other: str) -> None:
    met = negotiation.meet(one, other)
    assert met == negotiation.meet(other, one)
    assert negotiation.meet(met, one) == met
    assert negotiation.meet(one, "sendrecv") == one
    assert negotiation.meet(one, "inactive") == "inactive"


def test_a_change_keeps_the_codec_while_it_is_still_offered() -> None:
    agreed = negotiation.answer_with(caller(), "PCMU/8000", events=True)
    assert negotiation.codecs_after_change(caller(), agreed, ("pcma", "pcmu")) == agreed.ours
    only_alaw = streams("m=audio 4000 RTP/AVP 8")[0]
    assert names(negotiation.codecs_after_change(only_alaw, agreed, ("pcma", "pcmu"))) == [("PCMA", 8)]


DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@pytest.mark.parametrize("before", DIRECTIONS)
def test_an_answer_tells_a_wish_only_where_the_offer_left_a_choice(before: str) -> None:
    for answer in DIRECTIONS:
        assert negotiation.wish_of(answer, "sendrecv", before) == answer
    assert negotiation.wish_of("inactive", "inactive", before) == before
    hears, sends = before in negotiation.HEARING, before in negotiation.SENDING
    assert negotiation.wish_of("recvonly", "sendonly", before) == negotiation.direction_of(sends, True)
    assert negotiation.wish_of("inactive", "sendonly", before) == negotiation.direction_of(sends, False)
    assert negotiation.wish_of("sendonly", "recvonly", before) == negotiation.direction_of(True, hears)
    assert negotiation.wish_of("inactive", "recvonly", before) == negotiation.direction_of(False, hears)
