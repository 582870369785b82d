"""Numbers as text: patterns that match them and templates that make new ones. Knows nothing of routes or SIP."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import re2

MAX_NUMBER: Final = 64  # characters a pattern looks at and a template may make; a longer user part matches nothing
MAX_PATTERN: Final = 512  # characters of a regular expression
PATTERN_MEMORY: Final = 1 << 20  # bytes RE2 may use for one compiled pattern

NO_GROUPS: Final[Mapping[str, str]] = {}

_SLOT: Final = re.compile(r"\{([A-Za-z_]\w{0,31})(?:\[(-?\d{1,3})?(:)?(-?\d{1,3})?\])?\}", re.ASCII)


class PatternError(ValueError):
    """A regular expression that RE2 does not take."""


class TemplateError(ValueError):
    """A template that cannot be read, or that makes no number a call could be sent to."""


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    return options


class Pattern:
    """A regular expression that has to match the whole text. RE2: linear time, whatever the pattern and the text."""

    __slots__ = ("_regex", "groups", "source")

    def __init__(self, source: str) -> None:
        if len(source) > MAX_PATTERN:
            raise PatternError(f"a pattern has at most {MAX_PATTERN} characters")
        try:
            self._regex = re2.compile(source.encode(), _options())
        except re2.error as problem:
            said = problem.args[0] if problem.args else ""
            raise PatternError(said.decode() if isinstance(said, bytes) else str(said)) from None
        except UnicodeEncodeError:
            raise PatternError("not Unicode text") from None
        self.source = source
        self.groups: tuple[str, ...] = tuple(
            name.decode() for name, _ in sorted(self._regex.groupindex.items(), key=lambda row: row[1])
        )

    def match(self, text: str) -> Mapping[str, str] | None:
        """The named groups (unused ones are empty), or `None` where the whole text does not match."""
        if len(text) > MAX_NUMBER:
            return None
        found = self._regex.fullmatch(text.encode("utf-8", "replace"))
        if found is None:
            return None
        if not self.groups:
            return NO_GROUPS
        return {name: (found.group(name.encode()) or b"").decode("utf-8", "replace") for name in self.groups}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Pattern({self.source!r})"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template: the named value, or `name[start:stop]` of it with Python's meaning of both."""

    name: str
    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """Text with `{called}`, `{called[3:]}`, `{called[-4:]}` and named groups in it. `str()` gives the source back."""

    source: str
    parts: tuple[str | Slot, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        parts: list[str | Slot] = []
        at = 0
        for slot in _SLOT.finditer(text):
            parts += _literal(text, at, slot.start())
            parts.append(_slot(slot))
            at = slot.end()
        parts += _literal(text, at, len(text))
        if not parts:
            raise TemplateError("is empty")
        return cls(text, tuple(parts))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(part.name for part in self.parts if isinstance(part, Slot))

    def fill(self, values: Mapping[str, str]) -> str:
        """The text made of these values, whatever it is. KeyError for a name they lack."""
        return "".join(
            part if isinstance(part, str) else values[part.name][part.start : part.stop] for part in self.parts
        )

    def render(self, values: Mapping[str, str]) -> str:
        """The number made of these values. TemplateError when nobody could dial it, KeyError for a name they lack."""
        made = self.fill(values)
        if not made:
            raise TemplateError(f"{self.source} makes an empty number")
        if len(made) > MAX_NUMBER:
            raise TemplateError(f"{self.source} makes more than {MAX_NUMBER} characters")
        if not made.isprintable() or " " in made:
            raise TemplateError(f"{self.source} makes a number with a space or a control character")
        return made

    def __str__(self) -> str:
        return self.source


def _literal(text: str, start: int, end: int) -> list[str]:
    piece = text[start:end]
    for brace in "{}":
        if brace in piece:
            raise TemplateError(
                f"{brace} at character {start + piece.index(brace) + 1} belongs to no {{name}} or {{name[3:]}}"
            )
    return [piece] if piece else []


def _slot(found: re.Match[str]) -> Slot:
    name, start, colon, stop = found.groups()
    if "[" not in found[0]:
        return Slot(name)
    if not colon:
        raise TemplateError(f"{found[0]} is no slice: write {{{name}[{start or 0}:]}}")
    return Slot(name, int(start) if start else None, int(stop) if stop else None)
