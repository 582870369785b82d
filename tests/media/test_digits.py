"""RFC 4733 digits: each counts once, whatever is lost, repeated, reordered or left out by its sender."""

import struct
from collections.abc import Iterator

import pytest

from santral.engine.media.core.digits import Digits

MS = 1_000_000
Report = list[tuple[str, int]]


def event(code: int, duration: int, *, end: bool = False) -> bytes:
    return struct.pack("!BBH", code, end << 7 | 10, duration)


def press(
    code: int, timestamp: int, *, updates: int = 5, ends: int = 3, step: int = 160
) -> Iterator[tuple[bytes, int, bool]]:
    """What a sender sends for one key: growing updates, then the end three times. (payload, timestamp, is end)"""
    for n in range(updates):
        yield event(code, step * (n + 1)), timestamp, False
    for _ in range(ends):
        yield event(code, step * updates, end=True), timestamp, True


class Line:
    """Feeds packets 20 ms apart, numbering them, and collects what is reported."""

    def __init__(self) -> None:
        self.digits, self.sequence, self.now, self.reported = Digits(), 100, 0, list[tuple[str, int]]()

    def hear(self, payload: bytes, timestamp: int, *, lost: bool = False, sequence: int | None = None) -> None:
        self.sequence, self.now = self.sequence + 1, self.now + 20 * MS
        if not lost:
            number = self.sequence if sequence is None else sequence
            self.reported += self.digits.receive(
                payload, sequence=number & 0xFFFF, timestamp=timestamp, now_ns=self.now
            )

    def wait(self, ms: int) -> None:
        for _ in range(ms // 10):
            self.now += 10 * MS
            self.reported += self.digits.tick(self.now)


def test_every_key_is_reported_once_when_it_ends() -> None:
    line = Line()
    for code in range(16):
        for payload, timestamp, is_end in press(code, 8000 * code):
            line.hear(payload, timestamp)
            assert len(line.reported) == code + is_end
    assert line.reported == [(key, 100) for key in "0123456789*#ABCD"]


@pytest.mark.parametrize("lost", range(2**8))
def test_any_loss_leaves_one_digit_of_the_right_name(lost: int) -> None:
    line = Line()
    packets = list(press(7, 4000))
    for n, (payload, timestamp, _) in enumerate(packets):
        line.hear(payload, timestamp, lost=bool(lost >> n & 1))
    line.wait(400)
    for payload, timestamp, _ in press(3, 12000):
        line.hear(payload, timestamp)
    expected = ["7", "3"] if lost != 2**8 - 1 else ["3"]
    assert [digit for digit, _ in line.reported] == expected


def test_a_lost_end_is_made_up_for_by_silence_but_not_too_early() -> None:
    line = Line()
    for payload, timestamp, _ in press(5, 4000, ends=0):
        line.hear(payload, timestamp)
    line.wait(100)
    assert line.reported == []
    line.wait(100)
    assert line.reported == [("5", 100)]
    for payload, timestamp, _ in press(5, 4000):  # the same digit again after a gap: known already
        line.hear(payload, timestamp)
    line.wait(400)
    assert line.reported == [("5", 100)]


def test_a_lost_end_is_made_up_for_by_the_next_digit() -> None:
    line = Line()
    for code, timestamp in [(1, 1000), (1, 3000), (2, 5000)]:
        for payload, at, _ in press(code, timestamp, ends=0):
            line.hear(payload, at)
    line.wait(400)
    assert line.reported == [("1", 100), ("1", 100), ("2", 100)]


def test_neighbouring_digits_may_share_a_timestamp() -> None:
    line = Line()
    for code in (4, 5, 5, 4):
        for payload, timestamp, _ in press(code, 8000):
            line.hear(payload, timestamp)
    assert [digit for digit, _ in line.reported] == ["4", "5", "5", "4"]


def test_a_long_key_overflows_into_segments_and_stays_one_digit() -> None:
    line = Line()
    line.hear(event(9, 0xFFFF - 100), 0)
    line.hear(event(9, 0xFFFF), 0)
    line.hear(event(9, 160), 0xFFFF)
    line.hear(event(9, 8000), 0xFFFF)
    line.hear(event(9, 8000, end=True), 0xFFFF)
    line.wait(400)
    assert line.reported == [("9", (0xFFFF + 8000) // 8)]


def test_segments_hold_together_across_a_lost_update() -> None:
    line = Line()
    line.hear(event(9, 0xFFFF - 800), 0)
    line.hear(event(9, 400), 0xFFFF)  # the packet that said 0xFFFF got lost
    line.hear(event(9, 800, end=True), 0xFFFF)
    assert line.reported == [("9", (0xFFFF + 800) // 8)]


def test_several_events_in_one_packet() -> None:
    line = Line()
    both = event(1, 800, end=True) + event(2, 800, end=True) + event(2, 400)
    for _ in range(3):
        line.hear(both, 16000)
    line.hear(event(2, 480, end=True), 16000 + 1600)
    assert line.reported == [("1", 100), ("2", 100), ("2", 60)]


def test_reordered_packets_add_nothing() -> None:
    line = Line()
    packets = list(press(6, 4000))
    for n in [0, 2, 1, 5, 3, 4, 7, 6]:
        line.hear(packets[n][0], 4000, sequence=200 + n)
    line.wait(400)
    assert line.reported == [("6", 100)]


def test_sequence_and_timestamp_may_go_round() -> None:
    line = Line()
    line.sequence = 65533
    for payload, timestamp, _ in press(8, 2**32 - 80):
        line.hear(payload, timestamp)
    for payload, timestamp, _ in press(8, 4000):
        line.hear(payload, timestamp)
    assert [digit for digit, _ in line.reported] == ["8", "8"]


def test_other_events_and_short_packets_are_no_digits() -> None:
    line = Line()
    line.hear(event(16, 800, end=True), 0)  # hook flash
    line.hear(event(66, 800, end=True), 0)
    line.hear(b"\x05\x8a\x01", 4000)
    line.hear(b"", 8000)
    line.wait(400)
    assert line.reported == []


def test_a_new_source_ends_the_digit_and_forgets_it() -> None:
    line = Line()
    line.hear(event(1, 160), 0)
    assert line.digits.forget() == [("1", 20)]
    line.hear(event(1, 160, end=True), 0)
    assert line.reported == [("1", 20)]


def test_segments_at_48_khz() -> None:
    """A duration of 16 bits lasts 1.4 s there: a long key takes several segments (RFC 4733 2.5.1.3), one digit."""
    line = Line()
    line.digits = Digits(48000)
    for step in range(1, 141):  # 2.8 s in updates of 20 ms
        at, segment = 960 * step, 960 * step // 0xFFFF
        line.hear(event(5, at - 0xFFFF * segment), 0xFFFF * segment)
    line.hear(event(5, 960 * 140 - 2 * 0xFFFF, end=True), 2 * 0xFFFF)
    assert line.reported == [("5", 2800)]
