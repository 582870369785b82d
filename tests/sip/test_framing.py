"""Streams: where a message ends, what lies between messages, and when a stream is given up."""

import pytest

from santral.sip.errors import Malformed, RemoteError, TooLarge
from santral.sip.framing import Framer, KeepAlive, is_keep_alive
from santral.sip.message import MAX_HEAD, MAX_MESSAGE, make_response

HEAD = b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n"
ONE = HEAD + b"Content-Length: 3\r\n\r\nabc"
TWO = HEAD + b"L :\r\n 0\r\n\r\n"


def outcome(*chunks: bytes) -> list[bytes | KeepAlive | str]:
    """Everything that comes out, the name of the error last."""
    framer = Framer()
    got: list[bytes | KeepAlive | str] = []
    try:
        for chunk in chunks:
            got.extend(framer.receive(chunk))
    except RemoteError as refusal:
        got.append(type(refusal).__name__)
    return got


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (ONE, [ONE]),
        (ONE + TWO + ONE, [ONE, TWO, ONE]),
        (ONE + b"\r\n" + TWO, [ONE, TWO]),
        (ONE + b"\r\n\r\n" + TWO, [ONE, KeepAlive.PING, TWO]),
        (b"\r\n\r\n\r\n\r\n", [KeepAlive.PING, KeepAlive.PING]),
        (b"\r\n\r\n\r\n" + ONE, [KeepAlive.PING, ONE]),
        (ONE + TWO[:-1], [ONE]),
        (ONE[:-1], []),
        (ONE + HEAD + b"\r\n", [ONE, "Malformed"]),
        (ONE + HEAD + b"Content-Length: x\r\n\r\n", [ONE, "Malformed"]),
        (HEAD + b"Content-Length: -999\r\n\r\n", ["Malformed"]),
        (HEAD + b"Content-Length: 5\r\nl: 5\r\n\r\nabcde", ["Malformed"]),
        (HEAD + b"Content-Length:\r\n\r\n", ["Malformed"]),
        (HEAD + b"Content-Length: %d\r\n\r\n" % MAX_MESSAGE, ["TooLarge"]),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", ["Malformed"]),
        (HEAD + b"X: " + b"a" * MAX_HEAD, ["TooLarge"]),
        (b"\r" * MAX_HEAD, ["TooLarge"]),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", ["Malformed"]),
        (
            HEAD + b"X-Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
            [HEAD + b"X-Content-Length: 5\r\nContent-Length: 0\r\n\r\n"],
        ),
    ],
)
def test_cutting_the_stream_changes_nothing(data: bytes, expected: list[bytes | KeepAlive | str]) -> None:
    assert outcome(data) == expected
    assert outcome(*byte_by_byte(data)) == expected
    for cut in range(1, min(len(data), 400), 7):
        assert outcome(data[:cut], data[cut:]) == expected


def test_the_longest_message_passes() -> None:
    head = HEAD + b"Content-Length: %d\r\n\r\n"
    room = MAX_MESSAGE - len(head % MAX_MESSAGE)
    message = head % room + b"x" * room
    assert outcome(message + ONE) == [message, ONE]


def test_what_was_sound_is_delivered_before_the_error() -> None:
    framer = Framer()
    stream = framer.receive(ONE + TWO + HEAD + b"\r\n")
    assert (next(stream), next(stream)) == (ONE, TWO)
    with pytest.raises(Malformed) as caught:
        next(stream)
    assert caught.value.request is not None
    assert make_response(caught.value.request, 400).via.branch == "z9hG4bK1"


def test_too_long_a_head_can_still_be_answered() -> None:
    with pytest.raises(TooLarge) as caught:
        list(Framer().receive(HEAD + b"X: " + b"a" * MAX_HEAD))
    assert caught.value.request is not None


def test_a_chunk_counts_even_if_nobody_iterates() -> None:
    framer = Framer()
    framer.receive(ONE[:10])
    assert framer.pending == 10
    assert list(framer.receive(ONE[10:])) == [ONE]
    assert framer.pending == 0
    assert list(framer.receive(b"\r\n")) == []
    assert framer.pending == 0  # a pong, or half a ping: nothing to wait for


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"\r\n", b"  \r\n"])
def test_keep_alive_datagrams(data: bytes) -> None:
    assert is_keep_alive(data)
    assert not is_keep_alive(data + b"x")
    assert not is_keep_alive(b"\0" * 1000)
