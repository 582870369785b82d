"""The bench's phone against itself, in one process: what it sends, what it takes for an answer."""

import asyncio

import pytest

from santral.bench import agent
from santral.bench.peer import rtp
from santral.bench.peer.message import Message, Offered, audio_sdp, host_port, uri_in
from santral.bench.peer.phone import Manner, Phone, open_phone
from santral.bench.scene.stage import SOUNDS

SHORT = rtp.Script("PCMA", b"\xd5" * 1600, digits="7", lead_in_ticks=2)


async def call(caller: Phone, callee: Phone) -> None:
    uri = f"sip:12@{callee.host}:{callee.port}"
    await asyncio.wait_for(asyncio.gather(caller.call(uri, host_port(uri)), callee.wait_for_call()), 10)
    caller.close()
    callee.close()


async def test_a_call_runs_its_course() -> None:
    caller = await open_phone(Manner("a", SHORT), "127.0.0.1", 0)
    callee = await open_phone(Manner("b", rtp.Script("PCMU", b"")), "127.0.0.1", 0)
    await call(caller, callee)
    assert (caller.final_status, callee.final_status) == (200, 200)
    assert (caller.ended_by, callee.ended_by) == ("us", "peer")
    assert callee.requested.startswith("sip:12@")
    assert callee.line is not None
    assert [one.key for one in rtp.digits(callee.line.packets, callee.heard_events)] == ["7"]
    assert caller.retransmissions_seen == callee.retransmissions_seen == 0


async def test_a_refusal_is_acknowledged() -> None:
    caller = await open_phone(Manner("a", SHORT), "127.0.0.1", 0)
    callee = await open_phone(Manner("b", SHORT, answer_after_s=0.05, status=486), "127.0.0.1", 0)
    await call(caller, callee)
    assert caller.final_status == 486
    assert [one.first.split()[0] for one in callee.seen if one.direction == "in"] == ["INVITE", "ACK"]


async def test_a_lost_answer_is_sent_again() -> None:
    """The callee's first 200 is dropped on the way: it must come again, and be acknowledged."""
    caller = await open_phone(Manner("a", SHORT), "127.0.0.1", 0)
    callee = await open_phone(Manner("b", SHORT, answer_after_s=0.01), "127.0.0.1", 0)
    take, dropped = caller.datagram_received, []

    def lossy(data: bytes, source: object) -> None:
        if data.startswith(b"SIP/2.0 200") and not dropped:
            dropped.append(data)
        else:
            take(data, source)

    caller.datagram_received = lossy  # type: ignore[method-assign]
    await call(caller, callee)
    assert dropped
    assert caller.final_status == 200


@pytest.mark.parametrize(
    ("header", "uri"),
    [("<sip:a@b:1>;tag=x", "sip:a@b:1"), ("sip:a@b;tag=x", "sip:a@b")],
)
def test_uri_in_a_header(header: str, uri: str) -> None:
    assert uri_in(header) == uri


def test_sdp_says_where_and_which_digits() -> None:
    offered = Offered.parse(audio_sdp("127.0.0.1", 4000, ("PCMU", 0), 99))
    assert offered == Offered("127.0.0.1", 4000, (0, 99), 99)
    with pytest.raises(ValueError, match="no audio"):
        Offered.parse(b"v=0\r\nm=video 4000 RTP/AVP 96\r\n")


def test_media_level_address_wins_and_a_second_stream_is_passed_over() -> None:
    audio = b"c=IN IP4 10.0.0.1\r\nm=audio 5 RTP/AVP 8\r\nc=IN IP4 10.0.0.2\r\n"
    text = audio + b"m=video 7 RTP/AVP 96\r\nc=IN IP4 10.0.0.3\r\n"
    assert Offered.parse(text) == Offered("10.0.0.2", 5, (8,), None)


def test_messages_are_read_as_written() -> None:
    request = Message(
        "OPTIONS sip:a SIP/2.0", [("Via", "SIP/2.0/UDP h;branch=1"), ("To", "<sip:a>"), ("CSeq", "1 OPTIONS")]
    )
    read = Message.parse(bytes(request))
    assert (read.method, read.status, read.get("content-length")) == ("OPTIONS", 0, "0")
    answer = Message.parse(bytes(read.answer(200, "OK", "t")))
    assert (answer.status, answer.method, answer.get("to")) == (200, "OPTIONS", "<sip:a>;tag=t")
    folded = Message.parse(b"SIP/2.0 200 OK\r\nv: a\r\n b\r\n\r\n")
    assert folded.get("via") == "a b"
    with pytest.raises(ValueError, match="not SIP"):
        Message.parse(b"\0\0")


def test_only_8_khz_is_played() -> None:
    options = agent.arguments(["call", "--play", str(SOUNDS / "closed.wav")])
    with pytest.raises(ValueError, match="16000 Hz"):
        agent.script_for(options)
