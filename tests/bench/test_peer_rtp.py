"""The phone's RTP: what it writes it reads, and audio lands where its timestamps say."""

import struct
from itertools import islice

import numpy as np
import pytest

from santral.bench.peer import g711, rtp

SOURCE = ("127.0.0.1", 4000)


def packets(script: rtp.Script, count: int, *, base: int = 0, ssrc: int = 7, start_ns: int = 0) -> list[rtp.Packet]:
    made = []
    for number, frame in enumerate(islice(script.frames(), count)):
        packet = rtp.Packet.parse(
            rtp.pack(frame, 65_530 + number, base, ssrc), start_ns + frame.tick * 20_000_000, SOURCE
        )
        assert packet is not None
        made.append(packet)
    return made


def speech() -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    return np.asarray(np.random.default_rng(5).integers(-9000, 9000, 1600), np.int16)


def test_audio_is_placed_by_timestamp_across_the_wrap() -> None:
    wire = g711.encode(speech(), "PCMA")
    script = rtp.Script("PCMA", wire, lead_in_ticks=0)
    seen = packets(script, 10, base=2**32 - 500)
    del seen[4]
    seen[2], seen[3] = seen[3], seen[2]
    heard = rtp.place(seen)
    expected = g711.decode(wire, "PCMA")
    expected[640:800] = 0
    assert np.array_equal(heard.samples, expected)
    counted = rtp.summary(seen)
    assert (counted["lost"], counted["reordered"], counted["duplicate"]) == (1, 1, 0)


def test_a_new_ssrc_continues_by_its_arrival() -> None:
    script = rtp.Script("PCMU", g711.encode(speech(), "PCMU"), lead_in_ticks=0)
    first = packets(script, 10)
    second = packets(script, 10, base=99_999, ssrc=8, start_ns=400_000_000)
    heard = rtp.place(first + second)
    assert len(heard.samples) == 3200 + 1600
    assert np.array_equal(heard.samples[3200:], heard.samples[:1600])
    assert rtp.summary(first + second)["ssrcs"] == 2


def test_digits_are_read_as_they_were_pressed() -> None:
    script = rtp.Script("PCMA", b"", digits="15#", event_payload_type=96, lead_in_ticks=2)
    seen = packets(script, script.ticks())
    assert [(one.key, one.duration_ms, one.packets, one.ended) for one in rtp.digits(seen, 96)] == [
        ("1", 100, 8, True),
        ("5", 100, 8, True),
        ("#", 100, 8, True),
    ]
    assert rtp.digits(seen, 101) == []


def test_the_same_key_twice_is_two_digits() -> None:
    seen = packets(rtp.Script("PCMA", b"", digits="55", lead_in_ticks=0), 60)
    assert [one.key for one in rtp.digits(seen, 101)] == ["5", "5"]


def test_header_extension_csrc_and_padding_are_passed_over() -> None:
    header = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 1, 8, 1, 2, 3)
    data = header + b"csrc" + struct.pack("!HH", 0xBEDE, 1) + b"exts" + b"AUDIO" + b"\0\0\3"
    packet = rtp.Packet.parse(data, 0, SOURCE)
    assert packet is not None
    assert packet.payload == b"AUDIO"


@pytest.mark.parametrize("data", [b"", b"\x80" * 11, b"\x00" * 40, b"\x8f" + b"\x00" * 12, b"\xa0" + b"\xff" * 12])
def test_what_is_not_rtp_is_none(data: bytes) -> None:
    assert rtp.Packet.parse(data, 0, SOURCE) is None


def test_a_wild_timestamp_is_called_broken() -> None:
    seen = packets(rtp.Script("PCMA", b""), 2) + packets(rtp.Script("PCMA", b""), 1, base=2**30)
    with pytest.raises(ValueError, match="jumps"):
        rtp.place(seen)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_g711_decodes_what_it_encoded(codec: str) -> None:
    every = bytes(range(256))
    again = g711.encode(g711.decode(every, codec), codec)
    assert np.array_equal(g711.decode(again, codec), g711.decode(every, codec))
    assert max(abs(int(value)) for value in g711.VALUES[codec]) == {"PCMU": 32124, "PCMA": 32256}[codec]
