"""Identifiers: form, order, and what a clock that steps back does."""

import uuid
from itertools import pairwise

import pytest

from santral.engine import ids
from santral.engine.ids import IdSource


def test_they_are_uuid_version_7() -> None:
    made = uuid.UUID(ids.new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert str(made) == str(made).lower()


def test_they_grow_and_differ() -> None:
    made = [ids.new_id() for _ in range(10_000)]
    assert all(a < b for a, b in pairwise(made))


def test_a_clock_that_stands_or_steps_back_changes_nothing() -> None:
    moments = iter([1000] * 5000 + [10] * 5000)
    source = IdSource(lambda: next(moments), lambda size: b"\xff" * size)
    made = [source.new() for _ in range(10_000)]
    assert all(a < b for a, b in pairwise(made))
    assert {uuid.UUID(each).version for each in made} == {7}


def test_the_moment_can_be_read_back() -> None:
    source = IdSource(lambda: 1_795_000_000_123, bytes)
    assert ids.created_ms(source.new()) == 1_795_000_000_123
    for wrong in ("", "abc", str(uuid.uuid4())):
        with pytest.raises(ValueError, match="not a UUIDv7"):
            ids.created_ms(wrong)


def test_chance_hands_out_every_octet_once() -> None:
    page = bytes(range(256)) * (ids.POOL_OCTETS // 256)
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return page[:size]

    chance = ids.Chance(entropy)
    assert b"".join(chance.randbytes(10) for _ in range(ids.POOL_OCTETS // 10)) == page[: ids.POOL_OCTETS // 10 * 10]
    assert asked == [ids.POOL_OCTETS]
    assert chance.getrandbits(64) == 0x0001020304050607  # too little was left of the first page: the second begins
    assert chance.getrandbits(3) == 0x08 >> 5
    assert 0 <= chance.random() < 1
    assert chance.randbytes(ids.POOL_OCTETS + 1) == page
    assert asked == [ids.POOL_OCTETS, ids.POOL_OCTETS, ids.POOL_OCTETS + 1]
