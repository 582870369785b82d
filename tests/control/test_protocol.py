"""Frames: cutting does not matter, limits hold, and only FrameError comes out."""

from itertools import pairwise
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.control import protocol
from santral.engine.control.protocol import MAX_FRAME, Request, Requests


def packed(*frames: Any) -> bytes:
    return b"".join(msgpack.packb(frame) for frame in frames)


def outcome(chunks: list[bytes]) -> list[Request | str]:
    """Return what came out, ending with the error's code if there was one."""
    frames, got = Requests(), []
    for chunk in chunks:
        requests, problem = frames.receive(chunk)
        got += requests
        if problem is not None:
            return [*got, problem.code]
    return got


REQUESTS = packed([0, 1, "engine.status", [{}]], [0, 2, "call.get", [{"id": "x" * 300}]], [0, 3, "a", []], [0, 4, "b"])


@given(st.lists(st.integers(0, len(REQUESTS)), max_size=8))
def test_cutting_the_stream_changes_nothing(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(REQUESTS)]
    chunks = [REQUESTS[a:b] for a, b in pairwise(edges)]
    assert outcome(chunks) == outcome([REQUESTS])
    assert [each.id for each in outcome(chunks) if isinstance(each, Request)] == [1, 2, 3, 4]


@given(st.binary(max_size=200))
def test_garbage_gives_a_frame_error_or_waits(data: bytes) -> None:
    assert outcome([data]) == outcome([data[i : i + 1] for i in range(len(data))])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 2**40) | st.text(max_size=5) | st.binary(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_any_other_message_is_refused(value: Any) -> None:
    requests, problem = Requests().receive(packed(value))
    assert bool(requests) != bool(problem)


@pytest.mark.parametrize(
    "frame",
    [
        [0, 1, "m", {}],
        [0, 1, "m", [1]],
        [0, 1, "m", [{}, {}]],
        [0, 1, "m", [{}], 5],
        [0, -1, "m", [{}]],
        [0, 2**32, "m", [{}]],
        [0, True, "m", [{}]],
        [False, 1, "m", [{}]],
        [0, "1", "m", [{}]],
        [0, 1, b"m", [{}]],
        [0, 1, "m" * 65, [{}]],
        [0, 1, "m", [{b"k": 1}]],
        [1, 1, None, {}],
        [2, "event", [{}]],
        {"id": 1},
        "hello",
    ],
)
def test_a_wrong_envelope_is_refused(frame: Any) -> None:
    assert outcome([packed(frame)]) == ["bad_frame"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"\x91" * 2000,
        b"\x81\x91\x01\x01",
        b"\xa2\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc7\x03\xffabc",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_bytes_that_are_no_messagepack_are_refused(data: bytes) -> None:
    assert outcome([data]) == ["bad_frame"]


def test_requests_before_the_error_are_not_lost() -> None:
    assert outcome([packed([0, 7, "m", [{}]]) + b"\xc1"]) == [Request(7, "m", {}), "bad_frame"]


@pytest.mark.parametrize("size", [MAX_FRAME, MAX_FRAME + 1])
@pytest.mark.parametrize("chunk", [1000, MAX_FRAME // 2, 10 * MAX_FRAME])
def test_the_longest_frame_is_the_same_however_it_is_cut(size: int, chunk: int) -> None:
    head = len(packed([0, 1, "m", [{"v": "x" * 70000}]])) - 70000
    frame = packed([0, 1, "m", [{"v": "x" * (size - head)}]])
    assert len(frame) == size
    data = packed([0, 0, "first", []]) + frame + packed([0, 2, "last", []])
    got = outcome([data[i : i + chunk] for i in range(0, len(data), chunk)])
    assert [each if isinstance(each, str) else each.id for each in got] == (
        [0, 1, 2] if size == MAX_FRAME else [0, "bad_frame"]
    )


def test_many_requests_at_once_are_no_long_one() -> None:
    data = packed(*([0, n, "m", [{"v": "x" * 1000}]] for n in range(1000)))
    assert len(data) > 3 * MAX_FRAME
    assert len(outcome([data])) == 1000


def test_what_is_sent_is_messagepack_rpc() -> None:
    assert msgpack.unpackb(protocol.response(5, None, {"a": 1})) == [1, 5, None, {"a": 1}]
    assert msgpack.unpackb(protocol.notification("closing", {"code": "x"})) == [2, "closing", [{"code": "x"}]]
    assert msgpack.unpackb(protocol.event_frame(msgpack.packb({"seq": 1}))) == [2, "event", [{"seq": 1}]]
