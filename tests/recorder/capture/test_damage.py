"""Cut anywhere, or with any bit turned over: what is whole is read, what is not is told, and nothing else comes out."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from santral.recorder.capture import CaptureFile, CaptureKey, KeyNeeded, NotACapture
from santral.recorder.capture.chunk import chunk_of

from .conftest import KEY, U16, Cut, Put, Said, expected, puts, seen, unwrap, write

CHEAP = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def chunk_starts(data: bytes, chunks: int) -> list[int]:
    """Of a sound file, its end included; what peers said may look like a chunk, so lengths are followed."""
    at = 2 * (20 + int.from_bytes(data[12:16], "little"))
    starts = [at]
    for _ in range(chunks):
        at += 24 + int.from_bytes(data[at + 4 : at + 8], "little")
        starts.append(at)
    assert at == len(data)
    return starts


@pytest.mark.parametrize("key", [None, KEY])
@CHEAP
@given(what=puts, cut=st.integers(0, 10**9))
def test_a_file_cut_anywhere_is_read_up_to_its_last_whole_chunk(
    fresh: Callable[[], Path], key: CaptureKey | None, what: list[Put], cut: int
) -> None:
    chunks = write(path := fresh(), what, key)
    data = path.read_bytes()
    starts = chunk_starts(data, len(chunks))
    length = cut % len(data)
    path.write_bytes(data[:length])
    if length < starts[0] // 2:
        with pytest.raises(NotACapture):
            CaptureFile(path, unwrap)
        return
    with CaptureFile(path, unwrap) as capture:
        got = seen(capture.read())
        whole = sum(start <= length for start in starts[1:])
        assert got == expected([one for chunk in chunks[:whole] for one in chunk])
        assert not capture.is_complete
        assert capture.damage == [] or length < starts[0]
        if length >= starts[0]:
            assert capture.unread_bytes == length - max(start for start in starts if start <= length)


@pytest.mark.parametrize("key", [None, KEY])
@CHEAP
@given(what=puts, place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_and_costs_one_chunk_at_most(
    fresh: Callable[[], Path], key: CaptureKey | None, what: list[Put], place: int, bit: int
) -> None:
    chunks = write(path := fresh(), what, key)
    data = bytearray(path.read_bytes())
    starts = chunk_starts(bytes(data), len(chunks))
    place %= len(data)
    data[place] ^= 1 << bit
    path.write_bytes(data)
    if key is not None and starts[0] <= place < starts[1]:  # the chunk that proves the key
        try:
            capture = CaptureFile(path, unwrap)
        except KeyNeeded:
            return
    else:
        capture = CaptureFile(path, unwrap)
    with capture:
        got = seen(capture.read())
        hit = sum(start <= place for start in starts[:-1]) - 1  # -1: the header
        assert got == expected([one for n, chunk in enumerate(chunks) for one in chunk if n != hit])
        assert capture.damage or capture.unread_bytes


@CHEAP
@given(data=st.binary(max_size=300), tail=st.binary(max_size=300))
def test_whatever_stands_behind_is_survived(fresh: Callable[[], Path], data: bytes, tail: bytes) -> None:
    packet = Said(0, 1, 2, 3, 4, 5, b"kept", marker=False, masked=False, payload_type=0)
    write(path := fresh(), [packet])
    before = path.read_bytes()
    path.write_bytes(before + data + b"chnk" + tail)
    with CaptureFile(path) as capture:
        assert seen(capture.read()) == expected([packet])


heads = st.tuples(st.integers(0, 3), st.integers(0, 255), U16, st.integers(0, 90))
records = st.lists(
    st.builds(lambda head, rest: struct.pack("<BBHI", *head) + rest, heads, st.binary(max_size=80)), max_size=6
)


@CHEAP
@given(body=records.map(b"".join) | st.binary(max_size=300))
def test_bodies_of_anything_are_read_or_told(fresh: Callable[[], Path], body: bytes) -> None:
    """With a sound sum: whoever wrote it, nothing is read that is not there."""
    write(path := fresh(), [])
    before = path.read_bytes()
    path.write_bytes(before + chunk_of(1, body or b"\0"))
    with CaptureFile(path) as capture:
        batch = capture.read()
        assert capture.damage == [] or [damage.why for damage in capture.damage] == ["records"]
        assert len(batch.packets) == 0 or not capture.damage
        for row in range(len(batch.packets)):
            assert batch.payload(row) in body
            assert len(batch.payload(row)) == batch.packets["length"][row]


def test_a_chunk_that_is_gone_is_missed(tmp_path: Path) -> None:
    packet = Said(0, 1, 2, 3, 4, 5, b"kept", marker=False, masked=False, payload_type=0)
    chunks = write(path := tmp_path / "x", [packet, Cut(), packet, Cut(), packet])
    data = path.read_bytes()
    starts = chunk_starts(data, len(chunks))
    path.write_bytes(data[: starts[2]] + data[starts[3] :])
    with CaptureFile(path) as capture:
        assert len(capture.read().packets) == 2
        assert [damage.why for damage in capture.damage] == ["missing"]


def test_zeros_where_the_power_went_are_a_torn_tail(tmp_path: Path) -> None:
    packet = Said(0, 1, 2, 3, 4, 5, b"kept", marker=False, masked=False, payload_type=0)
    write(path := tmp_path / "x", [packet])
    with path.open("ab") as file:
        file.write(bytes(4096))
    with CaptureFile(path) as capture:
        assert seen(capture.read()) == expected([packet])
        assert (capture.is_complete, capture.damage, capture.unread_bytes) == (False, [], 4096)
