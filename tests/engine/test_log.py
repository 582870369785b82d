"""Log lines: form, and what must never be in them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from santral.engine import log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, before = list(root.handlers), root.level, structlog.get_config()
    out = io.StringIO()
    log.configure("info", stream=out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_what_was_bound(stream: io.StringIO) -> None:
    log.get("call").bind(call="c1", leg="l1").info("call answered", status=200, text="çağrı\nline")
    line = lines(stream)[0]
    assert list(line)[:4] == ["at", "level", "part", "event"]
    assert line["at"].endswith("Z")
    assert (line["level"], line["part"], line["event"]) == ("info", "call", "call answered")
    assert (line["call"], line["leg"], line["status"], line["text"]) == ("c1", "l1", 200, "çağrı\nline")
    assert "\\n" in stream.getvalue()


def test_lines_below_the_level_cost_nothing_and_show_nothing(stream: io.StringIO) -> None:
    log.get("x").debug("no")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"tokens": ["hunter2"]},
        {"trunk": {"name": "a", "Password": "hunter2", "inner": [{"secret_env": "hunter2"}]}},
        {"sdp": "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:hunter2|2^20\r\n"},
        {"header": 'Digest username="a", response="hunter2", uri="sip:x"'},
        {"headers": [("Authorization", "x"), 'Digest username="a", cnonce="hunter2"']},
        {"database": "postgresql+psycopg://santral:hunter2@db/santral"},
        {"authorization": b"hunter2"},
    ],
)
def test_secrets_are_masked(stream: io.StringIO, fields: dict[str, Any]) -> None:
    log.get("x").info("line", **fields)
    assert "hunter2" not in stream.getvalue()
    assert log.MASK in stream.getvalue()


def test_masking_keeps_the_rest_and_changes_nothing_it_was_given(stream: io.StringIO) -> None:
    given = {"name": "a", "password": "p", "uri": "sip:a@b;x=//c"}
    log.get("x").info("line", trunk=given)
    assert lines(stream)[0]["trunk"] == {"name": "a", "password": log.MASK, "uri": "sip:a@b;x=//c"}
    assert given["password"] == "p"


def test_exceptions_are_in_the_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        log.get("x").exception("failed")
    assert len(lines(stream)) == 1
    assert "ValueError: broken" in lines(stream)[0]["exception"]


def test_what_libraries_log_takes_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("asyncio").error("task %s failed", "t1")
    logging.getLogger("asyncio").info("not this")
    line = lines(stream)[0]
    assert (line["part"], line["logger"], line["event"], line["level"]) == (
        "library",
        "asyncio",
        "task t1 failed",
        "error",
    )
    assert len(lines(stream)) == 1


def test_a_terminal_gets_columns() -> None:
    before = structlog.get_config()
    out = io.StringIO()
    log.configure("info", stream=out, as_json=False)
    log.get("call").info("call answered", call="c1")
    structlog.configure(**before)
    assert "call answered" in out.getvalue()
    assert not out.getvalue().startswith("{")
