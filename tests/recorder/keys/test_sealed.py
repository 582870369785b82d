"""Sealed files against a plain one: any writing, any reading; nothing changed goes unseen."""

import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from santral.recorder.keys import DamagedError, DataKey, SealedReader, SealedWriter
from santral.recorder.keys.sealed import HEADER_BYTES, OVERHEAD_BYTES

KEY = DataKey(b"k" * 32)
LOG2 = 9  # small chunks, so that a kilobyte has several
CHUNK = 1 << LOG2


def sealed(plain: bytes) -> bytes:
    file = io.BytesIO()
    with SealedWriter(file, KEY, chunk_log2=LOG2) as writer:
        writer.write(plain)
    return file.getvalue()


def opened(data: bytes, key: DataKey = KEY) -> bytes:
    with SealedReader(io.BytesIO(data), key) as reader:
        return reader.read()


WRITES = st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=1500)), max_size=8)


@settings(deadline=None, max_examples=80)
@given(WRITES, st.integers(0, 4000), st.integers(0, 2000))
def test_it_reads_as_a_plain_file_written_the_same_way(writes: list[tuple[int, bytes]], start: int, count: int) -> None:
    plain, file = io.BytesIO(), io.BytesIO()
    with SealedWriter(file, KEY, chunk_log2=LOG2) as writer:
        for at, data in writes:
            for each in (plain, writer):
                each.seek(at)
                each.write(data)
        writer.seek(start)
        plain.seek(start)
        assert io.BufferedReader(writer).read(count) == plain.read(count)
    expected = plain.getvalue()
    assert opened(file.getvalue()) == expected
    with io.BufferedReader(SealedReader(io.BytesIO(file.getvalue()), KEY)) as reader:
        reader.seek(start)
        assert reader.read(count) == expected[start : start + count]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_sizes_at_the_edges_of_chunks(size: int) -> None:
    plain = os.urandom(size)
    with SealedReader(io.BytesIO(sealed(plain)), KEY) as reader:
        assert reader.size == size
        assert reader.read() == plain


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2000), st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_is_seen(size: int, where: int, by: int) -> None:
    data = bytearray(sealed(bytes(size)))
    data[where % len(data)] ^= by
    with pytest.raises(DamagedError):
        opened(bytes(data))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2000), st.integers(1, 10**6))
def test_a_file_cut_short_is_seen(size: int, cut: int) -> None:
    data = sealed(bytes(size))
    with pytest.raises(DamagedError):
        opened(data[: -(cut % len(data)) or None] if cut % len(data) else b"")


def test_chunks_cannot_change_places_files_or_be_left_out() -> None:
    data, other = sealed(os.urandom(4 * CHUNK)), sealed(os.urandom(4 * CHUNK))
    step = CHUNK + OVERHEAD_BYTES
    head, chunks = data[:HEADER_BYTES], [data[HEADER_BYTES + n * step :][:step] for n in range(4)]
    foreign = other[HEADER_BYTES + step :][:step]
    for order in ([1, 0, 2, 3], [0, 1, 2], [0, 2, 3], [0, 1, 2, 3, 3]):
        with pytest.raises(DamagedError):
            opened(head + b"".join(chunks[n] for n in order))
    with pytest.raises(DamagedError):
        opened(head + chunks[0] + foreign + chunks[2] + chunks[3])


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(DamagedError):
        opened(sealed(b"hello"), DataKey(b"j" * 32))


def test_an_unfinished_file_is_not_taken_for_a_whole_one() -> None:
    file = io.BytesIO()
    writer = SealedWriter(file, KEY, chunk_log2=LOG2)
    writer.write(bytes(3 * CHUNK + 5))
    writer.discard()
    with pytest.raises(DamagedError):
        opened(file.getvalue())


def test_the_plain_bytes_are_nowhere_in_it() -> None:
    plain = b"the customer said this " * 200
    data = sealed(plain)
    assert all(plain[at : at + 8] not in data for at in range(0, 400, 8))
