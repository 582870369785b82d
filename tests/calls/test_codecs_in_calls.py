"""Codecs between two sides: one both have where there is one, else each its own, and the media plane converts."""

import asyncio
import math
import re
import socket
import struct
from array import array
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from santral.codecs import CODECS, Decoder, Encoder, Parameters

Start = Callable[..., Awaitable[Any]]

OPUS = "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1;stereo=0\r\na=sendrecv"
ALL = '"pcma", "pcmu", "g722", "opus", "l16", "g729"'


def codecs_of(body: str) -> list[str]:
    """Names of the m= line's payload types, in order."""
    found = re.search(r"^m=audio \d+ \S+ (.*)\r$", body, re.MULTILINE)
    assert found is not None
    names = dict(re.findall(r"^a=rtpmap:(\d+) ([^/]+)", body, re.MULTILINE))
    return [names.get(number, number) for number in found[1].split()]


@pytest.fixture
def ports() -> Iterator[tuple[socket.socket, socket.socket]]:
    both = tuple(socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for one in both:
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)
    yield both[0], both[1]
    for one in both:
        one.close()


def tone(hz: int, rate_hz: int, frame: int) -> array:
    start, count = frame * rate_hz // 50, rate_hz // 50
    return array("h", [round(8000 * math.sin(2 * math.pi * hz * (start + i) / rate_hz)) for i in range(count)])


def strength(samples: list[int], hz: int, rate_hz: int) -> float:
    """The part of the power that is at this frequency."""
    x = sum(s * math.cos(2 * math.pi * hz * i / rate_hz) for i, s in enumerate(samples))
    y = sum(s * math.sin(2 * math.pi * hz * i / rate_hz) for i, s in enumerate(samples))
    return 2 * (x * x + y * y) / len(samples) / max(1, sum(s * s for s in samples))


async def speak(port: socket.socket, to: int, key: str, number: int, hz: int) -> None:
    """A second of tone."""
    codec = CODECS[key]
    rate = codec.sample_hz
    encoder = Encoder(codec, Parameters(rate))
    for frame in range(50):
        head = struct.pack("!BBHII", 0x80, number, frame, frame * codec.clock_hz // 50, 99)
        port.sendto(head + encoder.encode(tone(hz, rate, frame).tobytes()), ("127.0.0.1", to))
        await asyncio.sleep(0.01)


def heard(port: socket.socket, key: str, number: int) -> tuple[list[int], int]:
    """What was received in this codec, decoded; and its sampling rate."""
    decoder, samples = Decoder(CODECS[key]), []
    while True:
        try:
            packet = port.recv(4000)
        except BlockingIOError:
            return samples, CODECS[key].sample_hz
        if packet[1] & 127 == number:
            samples += memoryview(decoder.decode(packet[12:])).cast("h")


@pytest.mark.parametrize(("key", "number", "extra"), [("opus/48000/2", 96, OPUS), ("G722/8000", 9, "a=sendrecv")])
async def test_sides_without_a_common_codec_hear_each_other(
    start: Start, ports: tuple[socket.socket, socket.socket], key: str, number: int, extra: str
) -> None:
    bench = await start(left_codecs=ALL, right_codecs='"pcma"')
    left, right = ports
    ours = await bench.left.call("100", bench.left.sdp(left.getsockname()[1], str(number), extra))
    invite = await bench.right.expect("INVITE")
    assert codecs_of(invite.body) == ["PCMA"]
    await bench.right.answer(invite, 200, bench.right.sdp(right.getsockname()[1], "8"))
    await bench.right.expect("ACK")
    answered = await bench.left.expect(200)
    await ours.ack(answered)
    assert codecs_of(answered.body) == [key.partition("/")[0]]
    await asyncio.gather(
        speak(left, answered.media_port, key, number, 700), speak(right, invite.media_port, "PCMA/8000", 8, 1100)
    )
    await asyncio.sleep(0.1)
    for port, codec, wire, hz in ((right, "PCMA/8000", 8, 700), (left, key, number, 1100)):
        samples, rate_hz = heard(port, codec, wire)
        assert len(samples) > rate_hz * 0.8
        assert strength(samples[rate_hz // 4 : rate_hz * 3 // 4], hz, rate_hz) > 0.9, codec
    await ours.request("BYE")
    await bench.left.expect(200)


async def test_the_callee_is_offered_the_common_ones_first(start: Start) -> None:
    bench = await start(left_codecs=ALL, right_codecs='"l16", "opus", "g722", "pcmu", "g729"')
    await bench.left.call("100", bench.left.sdp(4000, "0 96 18 101", f"a=fmtp:18 annexb=no\r\n{OPUS}"))
    invite = await bench.right.expect("INVITE")
    assert codecs_of(invite.body) == ["opus", "PCMU", "G729", "L16", "G722", "telephone-event"]
    assert "a=fmtp:96 useinbandfec=1;stereo=0" in invite.body
    assert "a=fmtp:18 annexb=no" in invite.body


async def test_a_side_that_forbids_it_is_not_converted(start: Start) -> None:
    bench = await start(left_codecs=ALL, right_codecs='"pcma"', right_keys="transcode = false")
    await bench.left.call("100", bench.left.sdp(4000, "0"))
    await bench.left.expect(488)


async def test_g729_is_passed_through_with_what_the_far_side_says_of_it(start: Start) -> None:
    bench = await start(left_codecs=ALL, right_codecs='"g729"')
    await bench.left.call("100", bench.left.sdp(4000, "18 0"))
    invite = await bench.right.expect("INVITE")
    assert codecs_of(invite.body) == ["G729"]
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "18", "a=fmtp:18 annexb=no\r\na=sendrecv"))
    answered = await bench.left.expect(200)
    assert codecs_of(answered.body) == ["G729"]
    assert "a=fmtp:18 annexb=no" in answered.body
