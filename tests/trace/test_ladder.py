"""Ladders: bounded in messages and octets, the oldest calls first to go, and the first messages of a call kept."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from santral.engine.trace.ladder import CALL_BYTES, Kept, Ladder, Ladders
from santral.engine.trace.message import call_id_of
from santral.engine.trace.trace import Trace, TraceSettings
from santral.sip.events import Hop

HOP = Hop("udp", "192.0.2.7", 5080, "default")
ADDRESSES = {("default", "udp"): ("192.0.2.1", 5060)}


def kept(number: int, size: int = 10) -> Kept:
    return number, True, HOP, ("192.0.2.1", 5060), "leg", b"%d " % number + b"a" * size


def sip(call_id: str, start: str = "INVITE sip:1@h SIP/2.0") -> bytes:
    return f"{start}\r\nVia: x\r\nCall-ID: {call_id}\r\n\r\n".encode()


def test_call_ids_are_found_in_any_spelling() -> None:
    for line in ("Call-ID: a@b", "i:a@b", "CALL-ID \t:  a@b ", "call-id:a@b\t"):
        assert call_id_of(f"OPTIONS sip:h SIP/2.0\r\nTo: x\r\n{line}\r\nX-Y: i: z\r\n\r\n".encode()) == "a@b"
    assert call_id_of(b"\r\n\r\n") is None
    assert call_id_of(b"") is None


def test_the_first_and_the_latest_are_kept() -> None:
    ladder = Ladder("c", "acme", 6)
    for number in range(20):
        ladder.add(kept(number))
    assert [message.at_us for message in ladder] == [0, 1, 2, 17, 18, 19]
    assert ladder.dropped == 14


@given(st.lists(st.integers(0, 70_000), max_size=40), st.integers(1, 32))
@example([0, 59867, 70000, 0, 0, 0, 0], 5)  # what went for a large one is no room among the first
def test_octets_are_bounded_and_counted(sizes: list[int], limit: int) -> None:
    ladder, grown = Ladder("c", "acme", limit), 0
    for number, size in enumerate(sizes):
        grown += ladder.add(kept(number, size))
        assert len(ladder) <= limit
        assert grown == ladder.bytes <= CALL_BYTES
    assert len(ladder) + ladder.dropped == len(sizes)


def test_the_oldest_call_is_forgotten_first() -> None:
    ladders = Ladders(64, total_bytes=14_000)
    for number in range(10):
        ladder = ladders.open(f"id{number}", f"call{number}", "leg", "acme")
        ladders.add(ladder, kept(number, 3000))
    assert ladders.of("call0") is None
    assert ladders.of("call9") is not None
    assert ladders.owners("id0") == ()
    assert ladders.bytes <= 14_000
    assert ladders.forgotten == 10 - len(ladders)
    ladders.add(Ladder("call0", "acme", 4), kept(1))  # of a call that was forgotten: nothing happens
    assert ladders.of("call0") is None


def trace(**settings: Any) -> Trace:
    return Trace(TraceSettings(**settings), ADDRESSES, iter(range(0, 10**9, 1000)).__next__)


def test_the_invite_in_hand_and_its_100_go_to_the_call_they_make() -> None:
    made = trace()
    made.received(sip("other"), HOP)
    made.received(sip("mine"), HOP)
    made.sent(sip("mine", "SIP/2.0 100 Trying"), HOP)
    made.adopt("mine", "call", "leg", "acme")
    made.sent(sip("mine", "SIP/2.0 180 Ringing"), HOP)
    made.received(sip("unknown", "OPTIONS sip:h SIP/2.0"), HOP)
    ladder = made.ladder("call")
    assert ladder is not None
    rows = ladder.shown(hides=True)
    assert [row["line"] for row in rows] == ["INVITE sip:1@h SIP/2.0", "SIP/2.0 100 Trying", "SIP/2.0 180 Ringing"]
    assert rows[0]["from"] == rows[1]["to"] == "192.0.2.7:5080"
    assert {row["leg"] for row in rows} == {"leg"}


def test_a_call_that_comes_back_to_us_is_in_both_ladders() -> None:
    made = trace()
    made.adopt("same", "first", "leg1", "acme")
    made.sent(sip("same"), HOP)
    made.received(sip("same"), HOP)
    made.adopt("same", "second", "leg2", "acme")
    made.sent(sip("same", "SIP/2.0 200 OK"), HOP)
    first, second = made.ladder("first"), made.ladder("second")
    assert first is not None
    assert second is not None
    assert (len(first), len(second)) == (3, 1)


def test_nothing_is_kept_when_nothing_is_asked_for() -> None:
    made = trace(ladder=0)
    assert made.is_off
    made.adopt("mine", "call", "leg", "acme")
    assert made.ladder("call") is None


def test_a_hidden_caller_is_masked_in_messages_that_do_not_say_so() -> None:
    made, frames = trace(ladder=0, hep=("udp", "192.0.2.9", 9060)), []
    assert made.collector is not None
    made.collector.send = frames.append  # type: ignore[method-assign]
    invite = sip("mine").replace(b"Via", b"From: <sip:+905551112233@h>\r\nPrivacy: user\r\nVia")
    made.received(invite, HOP)
    made.adopt("mine", "call", "leg", "acme", ("+905551112233",))
    made.sent(sip("mine", "SIP/2.0 200 OK").replace(b"Via", b"From: <sip:+905551112233@h>\r\nVia"), HOP)
    assert len(frames) == 2
    assert not any(b"1112233" in frame for frame in frames)
    ladder = made.ladder("call")
    assert ladder is not None
    assert len(ladder) == 0


def test_calls_without_messages_are_bounded_too() -> None:
    ladders = Ladders(0, total_bytes=50_000)
    for number in range(1000):
        ladders.open(f"id{number}", f"call{number}", "leg", "acme")
    assert len(ladders) < 50


def test_a_call_id_used_again_and_again_costs_no_more() -> None:
    ladders = Ladders(64)
    for number in range(50):
        ladders.open("same@h", f"call-{number}", "leg", "acme")
    assert [ladder.call for ladder, _ in ladders.owners("same@h")] == [f"call-{n}" for n in range(46, 50)]
    assert len(ladders) == 50
    for number in range(50):
        ladders._forget(f"call-{number}")
    assert not ladders.owners("same@h")
    assert (ladders.bytes, len(ladders)) == (0, 0)
