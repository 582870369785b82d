"""What is wrong with a configuration, said so that it can be mended: key path, line, sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
