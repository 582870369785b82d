"""Offers and answers between two legs, as values (RFC 3264, RFC 4733)."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.calls import negotiation
from santral.engine.media.model import Dtmf
from santral.sip.errors import NotAcceptable
from santral.sip.offer_answer import Codec, LocalStream, RemoteStream, remote_streams
from santral.sip.sdp import SessionDescription

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


@dataclass(frozen=True)
class Side:
    codecs: tuple[str, ...]
    transcode: bool = True
    dtmf: Dtmf = "auto"


def side(*codecs: str, transcode: bool = True) -> Side:
    return Side(codecs, transcode)


ALL = side("pcmu", "pcma", "g722", "opus", "l16", "g729")


def streams(*lines: str) -> tuple[RemoteStream, ...]:
    return remote_streams(SessionDescription.parse((HEAD + "".join(f"{line}\r\n" for line in lines)).encode()))


def caller(event: int = 101) -> RemoteStream:
    return streams(f"m=audio 4000 RTP/AVP 0 8 {event}", f"a=rtpmap:{event} telephone-event/8000", "a=sendrecv")[0]


def names(codecs: tuple[Codec, ...]) -> list[tuple[str, int]]:
    return [(codec.name, codec.payload_type) for codec in codecs]


def test_the_far_end_is_offered_what_its_trunk_allows_in_the_trunk_s_order() -> None:
    assert names(negotiation.offer_to_far_end(caller(), ALL, side("pcma", "pcmu"))) == [
        ("PCMA", 8), ("PCMU", 0), ("telephone-event", 101),
    ]  # fmt: skip
    assert names(negotiation.offer_to_far_end(caller(96), ALL, side("pcmu"))) == [("PCMU", 0), ("telephone-event", 96)]


def test_nothing_in_common_is_not_acceptable() -> None:
    with pytest.raises(NotAcceptable):
        negotiation.offer_to_far_end(streams("m=audio 4000 RTP/AVP 18")[0], ALL, side("pcma"))


def test_without_an_offer_everything_allowed_is_offered() -> None:
    assert names(negotiation.offer_to_far_end(None, ALL, side("pcma", "pcmu"))) == [
        ("PCMA", 8), ("PCMU", 0), ("telephone-event", 101),
    ]  # fmt: skip


def test_each_side_keeps_its_own_event_number() -> None:
    offered = negotiation.offer_to_far_end(caller(101), ALL, side("pcma", "pcmu"))
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
        negotiation.agree(negotiation.offer_to_far_end(caller(), ALL, side("pcma")), streams(line)[0])


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
    both = side("pcma", "pcmu")
    assert negotiation.codecs_after_change(caller(), ALL, agreed, agreed, both) == agreed.ours
    only_alaw = streams("m=audio 4000 RTP/AVP 8")[0]
    assert names(negotiation.codecs_after_change(only_alaw, ALL, agreed, agreed, both)) == [("PCMA", 8)]


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


OPUS = ("m=audio 4000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000")


def test_behind_the_common_codecs_come_those_that_can_be_converted() -> None:
    offered = negotiation.offer_to_far_end(caller(), side("pcmu", "pcma"), side("l16", "opus", "pcma", "g729"))
    assert names(offered) == [("PCMA", 8), ("L16", 96), ("opus", 107), ("telephone-event", 101)]
    assert offered[2].fmtp == "useinbandfec=1; minptime=10"
    assert names(negotiation.offer_to_far_end(streams(*OPUS)[0], ALL, side("l16", "pcma"))) == [
        ("L16", 97), ("PCMA", 8), ("telephone-event", 101),
    ]  # fmt: skip


def test_nothing_is_converted_where_a_side_forbids_it_or_it_cannot_be() -> None:
    for near, far in ((side("pcmu", transcode=False), side("pcma")), (side("pcmu"), side("pcma", transcode=False))):
        with pytest.raises(NotAcceptable):
            negotiation.offer_to_far_end(caller(), near, far)
    with pytest.raises(NotAcceptable):
        negotiation.offer_to_far_end(streams("m=audio 4000 RTP/AVP 18")[0], ALL, side("pcma", "opus"))


def test_the_caller_is_answered_with_our_first_choice_where_nothing_is_common() -> None:
    far = negotiation.agree(negotiation.offer_alone(["opus"]), streams(*OPUS)[0])
    assert far.audio.key == "opus/48000/2"
    agreed = negotiation.answer_for(caller(), side("pcma", "pcmu"), far, events=True)
    assert names(agreed.ours) == [("PCMA", 8), ("telephone-event", 101)]
    with pytest.raises(NotAcceptable):
        negotiation.answer_for(caller(), side("pcma", transcode=False), far, events=True)


def test_what_the_far_side_has_is_preferred_to_converting() -> None:
    answer = streams("m=audio 5000 RTP/AVP 9 8")[0]
    far = negotiation.agree(negotiation.offer_alone(["g722", "pcma"]), answer)
    assert names(far.theirs) == [("G722", 9)]
    assert names(negotiation.answer_for(caller(), side("pcmu", "pcma"), far, events=False).ours) == [("PCMA", 8)]
    media = negotiation.media_of(answer, far, "sendrecv", (), muxes=False)
    assert media.sends == {"G722/8000": 9, "PCMA/8000": 8}
    assert media.receives == {9: "G722/8000", 8: "PCMA/8000"}


def test_a_converted_leg_keeps_its_codec_through_changes() -> None:
    """Neither the leg whose peer changes something else, nor the other one."""
    offer = streams(*OPUS, "a=rtpmap:96 opus/48000/2")[0]
    both = streams("m=audio 4000 RTP/AVP 96 8", "a=rtpmap:96 opus/48000/2")[0]
    far = negotiation.answer_with(caller(), "PCMA/8000", events=False)
    now = negotiation.answer_for(offer, ALL, far, events=False)
    assert now.audio.key == "opus/48000/2"
    assert negotiation.answer_for(both, ALL, far, events=False, now=now).audio.key == "opus/48000/2"
    assert negotiation.codecs_after_change(offer, ALL, now, far, side("g722", "pcma")) == far.ours


def test_the_plane_is_told_times_and_parameters() -> None:
    offer = streams(*OPUS, "a=fmtp:96 maxplaybackrate=16000;useinbandfec=1", "a=ptime:40", "a=maxptime:60")[0]
    agreed = negotiation.answer_with(offer, "opus/48000/2", events=True)
    media = negotiation.media_of(offer, agreed, "sendrecv", (), muxes=False)
    assert (media.ptime_ms, media.maxptime_ms, media.may_pause) == (40, 60, False)
    assert media.params == {"opus/48000/2": "maxplaybackrate=16000;useinbandfec=1"}
    assert agreed.ours[0].fmtp == "useinbandfec=1; minptime=10"


def test_silence_is_no_fault_where_it_was_allowed() -> None:
    offer = streams("m=audio 4000 RTP/AVP 18")[0]
    for said, pauses in (("annexb=no", False), ("", True), ("annexb=yes", True)):
        agreed = negotiation.answer_with(offer, "G729/8000", events=False, fmtp=said)
        assert negotiation.media_of(offer, agreed, "sendrecv", (), muxes=False).may_pause is pauses
