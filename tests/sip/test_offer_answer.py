"""Offers and answers: what a peer's description means, and what ours says."""

import pytest

from santral.sip.errors import LocalError, NotAcceptable, RemoteError
from santral.sip.offer_answer import (
    Codec,
    LocalSession,
    LocalStream,
    RemoteStream,
    answer_direction,
    audio,
    check_answer,
    codec_named,
    common,
    event_for,
    refuse,
    remote_streams,
)
from santral.sip.sdp import SessionDescription

PCMU, PCMA, G722 = Codec("PCMU", 8000, 1, 0), Codec("PCMA", 8000, 1, 8), Codec("G722", 8000, 1, 9)
EVENT = Codec("telephone-event", 8000, 1, 101, "0-15")


def streams(*lines: str, session: tuple[str, ...] = ("c=IN IP4 192.0.2.1",)) -> tuple[RemoteStream, ...]:
    return remote_streams(
        SessionDescription.parse("\r\n".join(["v=0", "o=- 1 1 IN IP4 h", "s=-", *session, "t=0 0", *lines]))
    )


def test_static_payload_types_need_no_rtpmap() -> None:
    (stream,) = streams("m=audio 4000 RTP/AVP 8 0 9 18 3 13")
    assert [codec.key for codec in stream.codecs] == ["PCMA/8000", "PCMU/8000", "G722/8000", "G729/8000", "GSM/8000"]
    assert stream.codecs[0] == PCMA
    assert (stream.index, stream.address, stream.port) == (0, "192.0.2.1", 4000)
    assert (stream.rtcp_address, stream.rtcp_port, stream.rtcp_mux) == ("192.0.2.1", 4001, False)
    assert (stream.direction, stream.ptime, stream.maxptime, stream.rejected) == ("sendrecv", None, None, False)


def test_dynamic_payload_types_and_their_parameters() -> None:
    (stream,) = streams(
        "m=audio 4000 RTP/AVP 96 97 8 101 100 99 98 200 x 96",
        "a=rtpmap:96 OPUS/48000/2",
        "a=fmtp:96 useinbandfec=1; stereo=0",
        "a=rtpmap:97 X-Thing/16000",
        "a=rtpmap:101 Telephone-Event/8000/1",
        "a=fmtp:101 0-16",
        "a=rtpmap:100 telephone-event/48000",
        "a=rtpmap:99 CN/16000",
        "a=rtpmap:98 broken",
        "a=ptime:30",
        "a=maxptime:150",
    )
    assert stream.codecs == (
        Codec("opus", 48000, 2, 96, "useinbandfec=1; stereo=0"),
        Codec("X-Thing", 16000, 1, 97),
        PCMA,
    )
    assert stream.events == (Codec("telephone-event", 8000, 1, 101, "0-16"), Codec("telephone-event", 48000, 1, 100))
    assert (stream.ptime, stream.maxptime) == (30, 150)
    assert stream.formats[-2:] == ("x", "96")
    assert stream.codecs[0].key == "opus/48000/2"


def test_rtpmap_outweighs_the_static_table() -> None:
    (stream,) = streams("m=audio 4000 RTP/AVP 0 3", "a=rtpmap:0 iLBC/8000", "a=rtpmap:3 GSM")
    assert [codec.key for codec in stream.codecs] == ["iLBC/8000", "GSM/8000"]


@pytest.mark.parametrize(
    ("session", "media", "expected"),
    [
        ("a=x", "a=x", "sendrecv"),
        ("a=sendonly", "a=x", "sendonly"),
        ("a=sendonly", "a=inactive", "inactive"),
        ("a=x", "a=recvonly", "recvonly"),
        ("a=x", "c=IN IP4 0.0.0.0", "sendonly"),
        ("a=recvonly", "c=IN IP4 0.0.0.0", "inactive"),
        ("a=inactive", "c=IN IP6 ::", "inactive"),
    ],
)
def test_direction_and_hold(session: str, media: str, expected: str) -> None:
    (stream,) = streams("m=audio 4000 RTP/AVP 0", media, session=("c=IN IP4 192.0.2.1", session))
    assert stream.direction == expected
    assert audio([stream]) is stream


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=rtcp:5000", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 192.0.2.9", ("192.0.2.9", 5000)),
        ("a=rtcp:PORT", ("192.0.2.1", 4001)),
        ("a=rtcp:0", ("192.0.2.1", 4001)),
        ("a=rtcp:99999", ("192.0.2.1", 4001)),
        ("a=rtcp", ("192.0.2.1", 4001)),
    ],
)
def test_where_rtcp_goes(line: str, expected: tuple[str, int]) -> None:
    (stream,) = streams("m=audio 4000 RTP/AVP 0", line)
    assert (stream.rtcp_address, stream.rtcp_port) == expected


def test_rtcp_options() -> None:
    (stream,) = streams("m=audio 65535 RTP/AVP 0", "a=rtcp-mux", "b=RS:0", "b=RR:0")
    assert (stream.rtcp_mux, stream.rtcp_wanted, stream.rtcp_port) == (True, False, 65535)
    assert streams("m=audio 4000 RTP/AVP 0", "b=AS:64")[0].rtcp_wanted


@pytest.mark.parametrize("value", ["0", "x", "-20", "241", "99999999", ""])
def test_a_senseless_packet_time_is_none(value: str) -> None:
    assert streams("m=audio 4000 RTP/AVP 0", f"a=ptime:{value}")[0].ptime is None
    assert streams("m=audio 4000 RTP/AVP 0", "a=ptime:20.0")[0].ptime == 20


def test_every_media_line_is_a_stream() -> None:
    offered = streams(
        "m=video 0 RTP/AVP 96",
        "m=audio 0 RTP/AVP 0",
        "m=image 4100 udptl t38",
        "m=audio 4000 RTP/AVP 8",
        "c=IN IP6 2001:db8::1",
    )
    assert [(stream.index, stream.kind, stream.rejected) for stream in offered] == [
        (0, "video", True), (1, "audio", True), (2, "image", False), (3, "audio", False),
    ]  # fmt: skip
    assert (offered[2].codecs, offered[2].formats) == ((), ("t38",))
    assert audio(offered) is offered[3]
    assert offered[3].address == "2001:db8::1"


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("m=video 4000 RTP/AVP 96",),
        ("m=audio 0 RTP/AVP 0",),
        ("m=audio 4000 RTP/SAVP 0",),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 0",),
        ("m=audio 4000 RTP/AVP 96",),
        ("m=audio 4000 RTP/AVP 13 101", "a=rtpmap:101 telephone-event/8000"),
        ("m=audio 4000 RTP/AVP 0", "c=IN IP4 host.example.com"),
        ("m=audio 4000 RTP/AVP 0", "c=IN IP4 224.0.0.1/127"),
        ("m=audio 4000 RTP/AVP 0", "c=IN IP4 255.255.255.255"),
        ("m=audio 4000 RTP/AVP 0", "c=IN IP4 256.1.1.1"),
        ("m=audio 4000 RTP/AVP 0", "c=IN IP6 fe80::1%eth0"),
        ("m=audio 4000 RTP/AVP 0", "c=IN IP6 :::"),
        ("m=audio 4000 RTP/AVP 0", "c=IN IP6 ff02::1"),
    ],
)
def test_nothing_to_talk_to_is_488(lines: tuple[str, ...]) -> None:
    with pytest.raises(NotAcceptable) as caught:
        audio(streams(*lines))
    assert caught.value.status == 488


def test_a_stream_without_any_address_is_not_acceptable() -> None:
    with pytest.raises(NotAcceptable):
        audio(streams("m=audio 4000 RTP/AVP 0", session=()))


@pytest.mark.parametrize(
    "lines", [("m=audio PORT RTP/AVP 0",), ("m=audio 70000 RTP/AVP 0",), ("m=audio 1 RTP/AVP 0", "c=IN IP4")]
)
def test_an_unreadable_stream_is_the_peers_fault(lines: tuple[str, ...]) -> None:
    with pytest.raises(RemoteError):
        streams(*lines)


def test_common_codecs_come_in_our_order_with_their_numbers() -> None:
    offered = (PCMU, Codec("PCMA", 8000, 1, 100), G722, Codec("opus", 48000, 2, 96), Codec("PCMA", 16000, 1, 101))
    assert common(offered, ("PCMA", "g722", "opus", "g729")) == (offered[1], G722, offered[3])
    assert common(offered, ()) == ()
    assert common((Codec("X-Thing", 8000, 1, 99),), ("x-thing",)) == (Codec("X-Thing", 8000, 1, 99),)


def test_events_follow_the_clock_of_the_codec() -> None:
    wide, narrow = Codec("telephone-event", 48000, 1, 99), EVENT
    opus = Codec("opus", 48000, 2, 96)
    assert event_for(opus, (narrow, wide)) is wide
    assert event_for(opus, (narrow,)) is narrow
    assert event_for(PCMA, (wide, narrow)) is narrow
    assert event_for(PCMA, (wide,)) is None


def test_codecs_of_our_own_offers() -> None:
    assert [codec_named(name) for name in ("pcmu", "PCMA", "g722")] == [PCMU, PCMA, G722]
    assert codec_named("telephone-event") == EVENT
    assert codec_named("opus", 120) == Codec("opus", 48000, 2, 120)
    with pytest.raises(LocalError):
        codec_named("mp3")


def test_answers_mirror_the_direction() -> None:
    assert [answer_direction(d) for d in ("sendrecv", "sendonly", "recvonly", "inactive")] == [
        "sendrecv", "recvonly", "sendonly", "inactive",
    ]  # fmt: skip
    with pytest.raises(LocalError):
        answer_direction("both")


def test_our_offer_word_by_word() -> None:
    session = LocalSession(7, "192.0.2.9")
    body = session.render([LocalStream("audio", "192.0.2.9", 20000, (PCMA, PCMU, EVENT), ptime=20)])
    assert body == (
        b"v=0\r\no=- 7 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
        b"m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
    (stream,) = remote_streams(SessionDescription.parse(body))
    assert (stream.codecs, stream.events, stream.ptime) == ((PCMA, PCMU), (EVENT,), 20)


def test_the_version_grows_only_with_changes() -> None:
    session = LocalSession(7, "192.0.2.9", version=41)
    stream = LocalStream("audio", "192.0.2.9", 20000, (PCMA,))
    held = LocalStream("audio", "192.0.2.9", 20000, (PCMA,), direction="sendonly")
    first = session.render([stream])
    assert session.render([stream]) == first
    assert session.version == 41
    assert b"o=- 7 42 IN" in session.render([held])
    assert b"o=- 7 43 IN" in session.render([stream])
    assert session.streams == (stream,)


def test_media_lines_never_vanish_nor_move() -> None:
    session = LocalSession(7, "192.0.2.9")
    voice, refused = (
        LocalStream("audio", "192.0.2.9", 20000, (PCMA,)),
        LocalStream("video", "192.0.2.9", 0, formats=("96", "97")),
    )
    assert b"m=video 0 RTP/AVP 96 97\r\n" in session.render([voice, refused])
    for wrong in ([voice], [refused, voice], []):
        with pytest.raises(LocalError):
            session.render(wrong)
    assert b"m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\na=sendrecv" in session.render(
        [
            voice,
            LocalStream(
                "image", "192.0.2.9", 4000, protocol="udptl", formats=("t38",), attributes=("T38FaxVersion:0",)
            ),
        ]
    )


@pytest.mark.parametrize(
    "stream",
    [
        LocalStream("audio", "192.0.2.9", 70000, (PCMA,)),
        LocalStream("audio", "192.0.2.9", -1, (PCMA,)),
        LocalStream("audio", "192.0.2.9", 4000),
        LocalStream("audio", "192.0.2.9", 4000, (PCMA,), direction="both"),
        LocalStream("audio", "192.0.2.9\r\na=x", 4000, (PCMA,)),
        LocalStream("audio", "192.0.2.9", 4000, (Codec("PCMA", 8000, 1, 8, "x\0"),)),
    ],
)
def test_what_cannot_be_sent_is_our_own_fault(stream: LocalStream) -> None:
    with pytest.raises(LocalError):
        LocalSession(7, "192.0.2.9").render([stream])


def test_addresses_of_both_families_and_of_single_streams() -> None:
    session = LocalSession(7, "2001:db8::9")
    body = session.render(
        [
            LocalStream("audio", "2001:db8::9", 4000, (PCMA,), rtcp_port=4500),
            LocalStream("audio", "192.0.2.9", 4002, (PCMA,), rtcp_port=4003, rtcp_mux=True),
        ]
    )
    assert b"o=- 7 1 IN IP6 2001:db8::9\r\n" in body
    assert b"c=IN IP6 2001:db8::9\r\nt=0 0\r\n" in body
    assert b"m=audio 4002 RTP/AVP 8\r\nc=IN IP4 192.0.2.9\r\n" in body
    assert b"a=rtcp:4500\r\n" in body
    assert b"a=rtcp-mux\r\n" in body
    assert b"a=rtcp:4003" not in body


def test_a_refused_stream_keeps_its_formats() -> None:
    offered = streams(
        "m=audio 4000 RTP/AVP 8", "m=video 4002 RTP/SAVPF 96 97", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
    )
    answer = [LocalStream("audio", "192.0.2.9", 20000, (PCMA,)), *(refuse(stream) for stream in offered[1:])]
    body = LocalSession(7, "192.0.2.9").render(answer)
    assert b"m=video 0 RTP/SAVPF 96 97\r\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n" in body
    check_answer(answer, offered)
    for wrong in (offered[:1], (), (offered[1], offered[0], offered[2])):
        with pytest.raises(NotAcceptable):
            check_answer(answer, wrong)
