"""Multipart bodies (RFC 2046 section 5.1, RFC 5621): find the one part that is wanted. Nothing here writes them."""

from __future__ import annotations

import re
from typing import Final

from santral.sip.errors import Malformed, RemoteError
from santral.sip.uri import find_param, parse_params, unquote_string

__all__ = ["find_part", "media_type"]

MAX_DEPTH: Final = 4  # multiparts inside multiparts
MAX_PARTS: Final = 32  # what comes after them is not looked at

_SESSION: Final = frozenset({"session", "render"})  # dispositions (RFC 3261 section 20.11)
_FULL_NAMES: Final = {"c": "content-type"}


def media_type(content_type: str) -> str:
    """`type/subtype` in lower case, without parameters and white space around the slash."""
    plain = content_type.partition(";")[0].strip(" \t").lower()
    return "/".join(half.strip(" \t") for half in plain.split("/")) if " " in plain or "\t" in plain else plain


def find_part(content_type: str, body: bytes, wanted: str, depth: int = 0) -> bytes | None:
    """The body itself if it is of the wanted media type, or the first such part of a multipart one.

    Of `multipart/alternative` the last part that fits is taken (RFC 2046 section 5.1.4). Parts with a disposition other
    than the session (such as `early-session`, RFC 3959) are passed over. None when there is no such part; raises
    Malformed when the boundary is missing or the nesting has no end.
    """
    kind = media_type(content_type)
    if kind == wanted:
        return body
    if not kind.startswith("multipart/"):
        return None
    if depth == MAX_DEPTH:
        raise Malformed("multipart bodies nested too deep")
    found = None
    for headers, content in _parts(content_type, body):
        if headers.get("content-disposition", "session").partition(";")[0].strip(" \t").lower() not in _SESSION:
            continue
        inner = find_part(headers.get("content-type", "text/plain"), content, wanted, depth + 1)
        if inner is not None:
            found = inner
            if kind != "multipart/alternative":
                break
    return found


def _parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Header fields (lower-case names) and content of every part."""
    body = b"\r\n" + body
    delimiters = re.finditer(rb"\r\n--" + re.escape(_boundary(content_type)) + rb"(--)?[ \t]*(?=\r\n|\Z)", body)
    parts: list[tuple[dict[str, str], bytes]] = []
    start = None
    for delimiter in delimiters:
        if start is not None:
            head, empty_line, content = body[start : delimiter.start()].partition(b"\r\n\r\n")
            if empty_line:
                parts.append((_read_headers(head), content))
        if delimiter[1] is not None or len(parts) > MAX_PARTS:
            break
        start = delimiter.end()
    return parts


def _boundary(content_type: str) -> bytes:
    _, semicolon, params = content_type.partition(";")
    try:
        boundary = unquote_string(find_param(parse_params(semicolon + params), "boundary") or "")
    except RemoteError:
        boundary = ""
    if not 0 < len(boundary) <= 70 or not boundary.isascii():  # RFC 2046 section 5.1.1
        raise Malformed(f"multipart boundary: {content_type[:80]!r}")
    return boundary.encode()


def _read_headers(head: bytes) -> dict[str, str]:
    text = head.decode("utf-8", "replace").replace("\r\n ", " ").replace("\r\n\t", " ")
    headers: dict[str, str] = {}
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip(" \t").lower()
            headers.setdefault(_FULL_NAMES.get(name, name), value.strip(" \t"))
    return headers
