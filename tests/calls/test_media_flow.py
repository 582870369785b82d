"""RTP through calls: both ways, with payload types of both sides, across hold, forks and changes of the codec."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]

EVENTS_100 = "a=rtpmap:100 telephone-event/8000\r\na=fmtp:100 0-15\r\na=sendrecv"


class Phone:
    """A UDP socket that speaks RTP."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self._sequence = 0

    def say(self, to: tuple[str, int], payload_type: int, count: int = 1, payload: bytes = b"\x55" * 160) -> None:
        for _ in range(count):
            self._sequence += 1
            head = struct.pack("!BBHII", 0x80, payload_type, self._sequence, self._sequence * 160, 7)
            self.socket.sendto(head + payload, to)

    async def hears(self, begins: float = 3.0) -> list[int]:
        """Payload types that arrive from within `begins` seconds on, until it has been quiet for a while."""
        found: list[int] = []
        try:
            while True:
                async with asyncio.timeout(0.3 if found else begins):
                    data = await asyncio.get_running_loop().sock_recv(self.socket, 2048)
                if len(data) > 12 and not 64 <= data[1] & 0x7F < 96:  # neither keep-alive nor RTCP
                    found.append(data[1] & 0x7F)
        except TimeoutError:
            return found


@contextmanager
def phones(host: str = "127.0.0.1") -> Iterator[tuple[Phone, Phone]]:
    both = Phone(host), Phone(host)
    try:
        yield both
    finally:
        for phone in both:
            phone.socket.close()


async def connect(bench: Any, caller: Phone, callee: Phone, formats: str = "0 101", extra: str = "a=sendrecv") -> Any:
    """(dialog of left, its gate, dialog of right, its gate): where each side's audio has to go."""
    ours = await bench.left.call("100", bench.left.sdp(caller.port, "0 8 101"))
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(callee.port, formats, extra))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    host = bench.left.host
    return ours, (host, answer.media_port), bench.right.dialog_of(invite), (host, invite.media_port)


async def test_audio_and_digits_cross_with_each_sides_numbers(start: Start) -> None:
    bench = await start()
    with phones() as (caller, callee):
        _, from_caller, _, from_callee = await connect(bench, caller, callee, "0 100", EVENTS_100)
        caller.say(from_caller, 0, 4)
        assert (await callee.hears())[-1] == 0
        caller.say(from_caller, 101, 1, b"\x05\x8a\x03\x20")
        assert 100 in await callee.hears()
        callee.say(from_callee, 0, 4)
        callee.say(from_callee, 100, 1, b"\x05\x8a\x03\x20")
        assert (await caller.hears())[-1] == 101
        assert [event["digit"] for event in bench.events() if event["type"] == "dtmf.received"] == ["5", "5"]


async def test_a_held_caller_hears_nothing_until_the_call_is_resumed(start: Start) -> None:
    bench = await start()
    with phones() as (caller, callee):
        ours, from_caller, _, from_callee = await connect(bench, caller, callee)
        caller.say(from_caller, 0, 4)
        await callee.hears()
        for version, (hold, answer) in enumerate([("sendonly", "recvonly"), ("sendrecv", "sendrecv")], start=2):
            await ours.request("INVITE", bench.left.sdp(caller.port, "0 101", f"a={hold}", version))
            change = await bench.right.expect("INVITE")
            await bench.right.answer(change, 200, bench.right.sdp(callee.port, "0 101", f"a={answer}", version))
            await bench.right.expect("ACK")
            await ours.ack(await bench.left.expect(200))
            callee.say(from_callee, 0, 6)
            resumed = hold == "sendrecv"
            assert bool(await caller.hears(3.0 if resumed else 0.3)) == resumed


async def test_hold_with_an_unspecified_address_is_hold(start: Start) -> None:
    bench = await start()
    with phones() as (caller, callee):
        ours, _, _, _ = await connect(bench, caller, callee)
        held = bench.left.sdp(caller.port, "0 101", version=2).replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")
        await ours.request("INVITE", held)
        change = await bench.right.expect("INVITE")
        assert change.direction == "sendonly"
        await bench.right.answer(change, 200, bench.right.sdp(callee.port, "0 101", "a=recvonly", 2))
        assert (await bench.left.expect(200)).direction == "recvonly"
        assert "leg.held" in [event["type"] for event in bench.events()]


async def test_a_refused_hold_is_asked_for_again(start: Start) -> None:
    bench = await start()
    with phones() as (caller, callee):
        ours, _, _, _ = await connect(bench, caller, callee)
        for status in (488, 200):
            await ours.request("INVITE", bench.left.sdp(caller.port, "0 101", "a=sendonly", 2))
            change = await bench.right.expect("INVITE")
            await bench.right.answer(change, status, bench.right.sdp(callee.port, "0 101", "a=recvonly", 2))
            await bench.right.expect("ACK")
            await bench.left.expect(status)
            await ours.request("ACK")


async def test_a_refresh_keeps_the_learnt_source(start: Start) -> None:
    bench = await start(left_keys='media_from = ["127.0.0.0/8"]')
    with phones() as (caller, callee):
        ours, from_caller, _, from_callee = await connect(bench, caller, callee)
        with phones("127.0.0.2") as (roaming, _):
            roaming.say(from_caller, 0, 6)
            await callee.hears()
            callee.say(from_callee, 0, 4)
            assert len(await roaming.hears()) >= 3
            await ours.request("INVITE", bench.left.sdp(caller.port, "0 8 101"))
            await ours.ack(await bench.left.expect(200))
            callee.say(from_callee, 0, 4)
            assert len(await roaming.hears()) == 4


async def test_a_fork_with_another_codec_wins_and_the_caller_is_asked_to_change(start: Start) -> None:
    bench = await start()
    with phones() as (caller, callee):
        ours = await bench.left.call("100", bench.left.sdp(caller.port, "0 8 101"))
        invite = await bench.right.expect("INVITE")
        await bench.right.answer(invite, 183, bench.right.sdp(6000, "8 101"), tag="one")
        early = await bench.left.expect(183)
        assert "PCMA/8000" in early.body
        await bench.right.answer(invite, 200, bench.right.sdp(callee.port, "0 101"), tag="two")
        await bench.right.expect("ACK")
        answer = await bench.left.expect(200)
        assert answer.body == early.body
        await ours.ack(answer)
        change = await bench.left.expect("INVITE")
        assert ("PCMU/8000" in change.body, "PCMA/8000" in change.body) == (True, False)
        await bench.left.answer(change, 200, bench.left.sdp(caller.port, "0 101", version=2), tag="ignored")
        await bench.left.expect("ACK")
        caller.say(("127.0.0.1", answer.media_port), 0, 5)
        assert set(await callee.hears()) == {0}
        callee.say(("127.0.0.1", invite.media_port), 0, 5)
        assert set(await caller.hears()) == {0}


async def test_after_early_media_the_next_destination_is_offered_the_settled_codec_first(start: Start) -> None:
    bench = await start(timeout=1)
    await bench.left.call("200")
    first = await bench.right.expect("INVITE")
    await bench.right.answer(first, 183, bench.right.sdp(6000, "8 101"), tag="one")
    await bench.left.expect(183)
    await bench.right.answer(first, 486, tag="one")
    await bench.right.expect("ACK")
    second = await bench.right.expect("INVITE")
    assert second.body.split("RTP/AVP ")[1].split()[0] == "8"


async def test_resuming_into_the_other_sides_hold_does_not_wait_for_audio(start: Start) -> None:
    bench = await start(rtp="timeout = 10")
    with phones() as (caller, callee):
        ours, _, _, _ = await connect(bench, caller, callee)
        await ours.request("INVITE", bench.left.sdp(caller.port, "0 101", "a=sendonly", 2))
        change = await bench.right.expect("INVITE")
        await bench.right.answer(change, 200, bench.right.sdp(callee.port, "0 101", "a=inactive", 2))
        await ours.ack(await bench.left.expect(200))
        await bench.right.expect("ACK")
        await ours.request("INVITE", bench.left.sdp(caller.port, "0 101", "a=sendrecv", 3))
        change = await bench.right.expect("INVITE")
        await bench.right.answer(change, 200, bench.right.sdp(callee.port, "0 101", "a=sendonly", 3))
        await bench.right.expect("ACK")
        response = await bench.left.expect(200)
        assert response.direction == "sendonly"
        await ours.ack(response)
        (call,) = bench.engine.calls()
        assert call.caller.rtp.remote.direction == "recvonly"  # it may not send: nothing to time out


@pytest.mark.parametrize("extra", ["a=rtcp-mux\r\na=sendrecv"])
async def test_a_callee_that_offers_to_mux_later_is_answered_without(start: Start, extra: str) -> None:
    bench = await start()
    with phones() as (caller, callee):
        _, _, theirs, _ = await connect(bench, caller, callee)
        await theirs.request("INVITE", bench.right.sdp(callee.port, "0 101", extra, 2))
        assert "rtcp-mux" not in (await bench.right.expect(200)).body
        (call,) = bench.engine.calls()
        assert call.callee.rtp.remote.rtcp_mux is False
