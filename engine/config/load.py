"""Read a configuration: find the file, parse it, check it as a whole, and answer with a `Config` or with every problem.

Reads files and environment variables the configuration names, and nothing else; starts nothing and changes nothing.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from santral.engine.config import not_yet
from santral.engine.config.checks import check
from santral.engine.config.defaults import EMBEDDED
from santral.engine.config.draft import Draft
from santral.engine.config.lines import locate
from santral.engine.config.model import Config
from santral.engine.config.problems import ConfigError, Problem, one_line

FILES: Final = (Path("santral.toml"), Path("/etc/santral/santral.toml"))  # tried in this order
EMBEDDED_NAME: Final = "embedded defaults"

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def find(path: Path | None = None) -> Path | None:
    """The file to read: `path`, else the first of `FILES` that exists, else `None` for the embedded defaults."""
    return path or next((candidate for candidate in FILES if candidate.is_file()), None)


def load(path: Path | str | None = None) -> Config:
    """The configuration in `path`, else in the first of `FILES`, else the embedded one. Raises ConfigError."""
    found = find(Path(path) if path is not None else None)
    if found is None:
        return loads(EMBEDDED)
    try:
        text = found.read_bytes().decode()
    except OSError as problem:
        raise ConfigError(str(found), [Problem(0, "", f"cannot be read: {problem.strerror}")]) from None
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        raise ConfigError(str(found), [Problem(line, "", "is not UTF-8 text")]) from None
    return loads(text, folder=found.absolute().parent, source=str(found))


def loads(
    text: str,
    *,
    folder: Path | None = None,
    source: str = EMBEDDED_NAME,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The configuration in a text; relative paths start at `folder` (default: the current one). Raises ConfigError."""
    try:
        raw: dict[str, Any] = tomllib.loads(text)
        lines = locate(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(source, [_syntax(problem, text)]) from None
    except RecursionError:
        raise ConfigError(source, [Problem(0, "", "is nested too deeply")]) from None
    not_yet.forget(raw)
    draft = Draft(raw, lines, (folder or Path.cwd()).absolute(), environ)
    draft.read()
    check(draft)
    return draft.config(source)


def _syntax(problem: tomllib.TOMLDecodeError, text: str) -> Problem:
    """One line for a syntax error. `tomllib` of Python 3.11 tells the place only in its message."""
    said = str(problem)
    place = _PLACE.search(said)
    if place is None:
        return Problem(0, "", one_line(said))
    line = int(place[1]) if place[1] else text.count("\n") + 1
    return Problem(line, "", one_line(said[: place.start()]) + ("" if place[1] else " at the end of the file"))
