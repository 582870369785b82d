"""Signed URLs and byte ranges."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.ids import new_id
from santral.engine.recordings.serving.ranges import Span, UnsatisfiableError, wanted
from santral.engine.recordings.serving.urls import Signer

SIGNER = Signer(b"a secret of some length", "https://calls.example/", 60)


def taken_apart(url: str) -> tuple[str, str, tuple[str, str]]:
    found = re.fullmatch(r"https://calls\.example/recordings/([^/]+)/([^/?]+)\?expires=(\d+)&signature=([\w-]+)", url)
    assert found is not None, url
    return found[1], found[2], (found[3], found[4])


def test_a_url_is_good_until_it_expires() -> None:
    identifier = new_id()
    recording, name, query = taken_apart(SIGNER.url(identifier, "audio", 1000))
    assert (recording, name) == (identifier, "audio")
    assert SIGNER.objection(recording, name, query, 1059) is None
    assert SIGNER.objection(recording, name, query, 1060) == "expired"


def test_a_url_is_good_for_one_file_and_one_secret() -> None:
    identifier = new_id()
    recording, name, (expires, signature) = taken_apart(SIGNER.url(identifier, "audio", 1000))
    assert SIGNER.objection(new_id(), name, (expires, signature), 1000) == "wrong"
    assert SIGNER.objection(recording, "picture", (expires, signature), 1000) == "wrong"
    assert SIGNER.objection(recording, name, (str(int(expires) + 1), signature), 1000) == "wrong"
    assert SIGNER.objection(recording, name, (f"0{expires}", signature), 1000) == "wrong"
    assert SIGNER.objection(recording, name, (expires, signature[:-1]), 1000) == "wrong"
    assert SIGNER.objection(recording, name, (expires, ""), 1000) == "wrong"
    assert SIGNER.objection(recording, name, (expires, "ü"), 1000) == "wrong"
    assert Signer(b"another one altogether", "x", 60).objection(recording, name, (expires, signature), 1000) == "wrong"


@pytest.mark.parametrize(
    ("recording", "name"),
    [("../etc", "passwd"), ("{id}", "../audio"), ("{id}", ".."), ("{id}", "a/b"), ("{id}", ""), ("{id}", "a" * 200)],
)
def test_what_looks_like_a_path_is_wrong_even_if_signed(recording: str, name: str) -> None:
    recording = recording.format(id=new_id())
    query = ("2000", SIGNER._sign(recording, name, "2000"))
    assert SIGNER.objection(recording, name, query, 1000) == "wrong"


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-99", Span(0, 100)),
        ("bytes=10-", Span(10, 100)),
        ("bytes=90-1000", Span(90, 100)),
        ("bytes=-1", Span(99, 100)),
        ("bytes=-1000", Span(0, 100)),
        ("Bytes = 1-2", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,5-6", None),
        ("octets=0-1", None),
        ("bytes=x-y", None),
        ("bytes=100-", "416"),
        ("bytes=100-200", "416"),
        ("bytes=-0", "416"),
    ],
)
def test_ranges(header: str | None, span: Span | str | None) -> None:
    if span == "416":
        with pytest.raises(UnsatisfiableError):
            wanted(header, 100)
    else:
        assert wanted(header, 100) == span


@pytest.mark.parametrize(
    ("header", "span"),
    [("bytes=0-", None), ("bytes=0-9", Span(0, 10)), ("bytes=50-", Span(50, 100)), ("bytes=-10", Span(90, 100))],
)
def test_all_of_what_grows_is_no_part_with_an_end(header: str, span: Span | None) -> None:
    assert wanted(header, 100, is_growing=True) == span


def test_all_of_what_has_nothing_yet_comes_when_it_is_there() -> None:
    assert wanted("bytes=0-", 0, is_growing=True) is None


@given(st.text(max_size=40), st.integers(0, 1000))
def test_a_range_lies_inside_the_file_whatever_is_asked(text: str, size: int) -> None:
    for header in (text, f"bytes={text}"):
        try:
            span = wanted(header, size)
        except UnsatisfiableError:
            continue
        assert span is None or 0 <= span.start < span.end <= size
