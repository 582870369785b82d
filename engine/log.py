"""Structured log lines on stderr: JSON, or columns when a person looks. Configured once, at start.

Secrets never reach a line: values under telling keys, `a=crypto` keys (RFC 4568) and digest responses are masked.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from santral.engine import utc

MASK: Final = "***"
MAX_DEPTH: Final = 4  # of maps and lists looked through for secrets
SECRET_KEYS: Final = re.compile(r"passw|secret|token|^ha1$|authorization|private_?key|credential", re.IGNORECASE)
SECRET_TEXT: Final = re.compile(r"(inline:)[^\s|\"]+|((?:response|cnonce)=\")[^\"]*|(://[^/\s:@]*:)[^@\s/]+(?=@)")
SECRET_HINTS: Final = re.compile(r"inline:|nonce=|response=|://").search
MAX_KEYS: Final = 1024  # remembered with what they tell: the engine knows some two hundred
ENCODER: Final = json.JSONEncoder(default=str, ensure_ascii=False)

LEVEL_NAMES: Final = {"exception": "error", "warn": "warning"}  # of methods that are called otherwise
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def get(part: str, **bound: Any) -> FilteringBoundLogger:
    """Return a logger for one part of the engine; `bind(call=…)` on it costs one small map."""
    logger: FilteringBoundLogger = structlog.get_logger(part=part, **bound)
    return logger


def configure(level: str = "info", *, stream: TextIO | None = None, as_json: bool | None = None) -> None:
    """Send every line, our own and the libraries', to `stream` (stderr); JSON unless it is a terminal.

    Before this is called lines go to stderr in structlog's own format.
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if as_json is None else as_json
    renderer = render_json if as_json else structlog.dev.ConsoleRenderer(colors=True)
    structlog.configure(
        processors=[
            redact,
            describe_problem,
            add_time_and_level,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [Forward()]
    root.setLevel(max(logging.WARNING, LEVELS[level]))


class Forward(logging.Handler):
    """Carries what libraries log (asyncio, aiohttp, alembic) into our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            get("library").log(
                max(record.levelno, logging.DEBUG), record.getMessage(), logger=record.name, exc_info=record.exc_info
            )
        except Exception:
            self.handleError(record)


def add_time_and_level(_logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the UTC time into a line, and how bad it is; after `redact`, which has nothing to look for in them."""
    line["at"], line["level"] = utc.text_of(utc.now_ms()), LEVEL_NAMES.get(method, method)
    return line


def describe_problem(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write an exception out, where there is one."""
    return structlog.processors.format_exc_info(logger, method, line) if "exc_info" in line else line


def redact(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask secrets in a line."""
    for key, value in line.items():
        if type(value) is str:
            if is_telling(key) or SECRET_HINTS(value):
                line[key] = masked(key, value)
        elif value is not None and type(value) is not int:
            line[key] = masked(key, value)
    return line


@lru_cache(MAX_KEYS)
def is_telling(key: str) -> bool:
    """Whether values under this key are secrets."""
    return SECRET_KEYS.search(key) is not None


def masked(key: str, value: Any, depth: int = 0) -> Any:
    """Return `value` without the secrets in it; maps and lists are looked through, not changed."""
    if isinstance(value, str | bytes) and is_telling(key):
        return MASK
    if isinstance(value, str):
        return SECRET_TEXT.sub(lambda found: (found[1] or found[2] or found[3]) + MASK, value)
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping):
            return {name: masked(str(name), each, depth + 1) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [masked(key, each, depth + 1) for each in value]
    return value


def render_json(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    """Write one line: time, level, part and event first, then the rest as it came."""
    first = {"at": line.pop("at", None), "level": line.pop("level", None), "part": line.pop("part", None)}
    return ENCODER.encode({**first, "event": line.pop("event", None), **line})
