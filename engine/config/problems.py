"""What is wrong with a configuration, said so that it can be mended: key path, line, sentence."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MAX_MESSAGE: Final = 400  # characters

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")

Step = str | int
KeyPath = tuple[Step, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. `line` counts from 1, 0 where none is to blame; `path` is empty for the whole file."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds everything found, in the order of the file."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems: Sequence[Problem] = tuple(sorted(set(problems)))
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


def spell(path: KeyPath) -> str:
    """A key path as operators read it: `trunk[0].targets[1].uri`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if _BARE_KEY.fullmatch(step) else json.dumps(step)
            text += f".{key}" if text else key
    return text


def one_line(text: str) -> str:
    """A message fit for one line of a terminal, whatever the configuration holds."""
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return shown if len(shown) <= MAX_MESSAGE else f"{shown[: MAX_MESSAGE - 3]}..."
