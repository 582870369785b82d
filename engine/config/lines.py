"""Where in a TOML text each key stands. Reads layout only: `tomllib` has parsed the text before, so it is valid."""

import re
import tomllib
from collections.abc import Mapping
from typing import Final

from santral.engine.config.problems import KeyPath, Step

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE: Final = re.compile(r"[^,\]}#\n]*")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)


def locate(text: str) -> Mapping[KeyPath, int]:
    """Key path -> line (from 1) of the key, of the table's header, or of the array's element."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of this key, or of the nearest table around it that the text holds; 0 for the whole file."""
    return lines.get(known_part(lines, path), 0)


def known_part(lines: Mapping[KeyPath, int], path: KeyPath) -> KeyPath:
    """The longest beginning of `path` that the text holds."""
    while path and path not in lines:
        path = path[:-1]
    return path


class _Scan:
    """One walk through the text. `at` is the next character to read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.elements: dict[KeyPath, int] = {}  # how many [[headers]] each array of tables has had
        self._counted = (0, 1)  # a place in the text and its line

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`; gives the path of the table it opens."""
        line, is_array = self.line(), self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        *outer, last = self.key()
        path: KeyPath = ()
        for step in outer:
            path = self.inside((*path, step))
            self.lines.setdefault(path, line)
        path = (*path, last)
        if is_array:
            self.lines.setdefault(path, line)
            self.elements[path] = self.elements.get(path, 0) + 1
        path = self.inside(path)
        self.lines[path] = line
        self.at += 2 if is_array else 1
        return path

    def inside(self, path: KeyPath) -> KeyPath:
        """Keys below an array of tables belong to its last element."""
        return (*path, self.elements[path] - 1) if path in self.elements else path

    def pair(self, table: KeyPath) -> None:
        """`a.b = value`."""
        line = self.line()
        path = table
        for step in self.key():
            path = (*path, step)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(path)

    def key(self) -> list[Step]:
        """A dotted key and the space around it; bare and quoted parts."""
        parts: list[Step] = []
        while True:
            self.skip(_SPACE)
            if self.text[self.at] in "\"'":
                quoted = self.take(_STRING)
                parts.append(tomllib.loads(f"key = {quoted}")["key"])
            else:
                parts.append(self.take(_BARE_KEY))
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def value(self, path: KeyPath) -> None:
        match self.text[self.at]:
            case "[":
                self.array(path)
            case "{":
                self.inline_table(path)
            case '"' | "'":
                self.take(_STRING)
            case _:
                self.take(_PLAIN_VALUE)

    def array(self, path: KeyPath) -> None:
        self.at += 1
        place = 0
        while self.next_item("]"):
            element = (*path, place)
            self.lines[element] = self.line()
            self.value(element)
            place += 1

    def inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while self.next_item("}"):
            self.pair(path)

    def next_item(self, end: str) -> bool:
        """Step over blanks and a comma to the next item; `False`, and behind `end`, when there is none."""
        if self.text[self.skip(_BLANK)] == ",":
            self.at += 1
            self.skip(_BLANK)
        if self.text[self.at] != end:
            return True
        self.at += 1
        return False

    def skip(self, what: re.Pattern[str]) -> int:
        self.take(what)
        return self.at

    def take(self, what: re.Pattern[str]) -> str:
        found = what.match(self.text, self.at)
        if found is None:
            raise ValueError(f"no TOML at character {self.at}")
        self.at = found.end()
        return found[0]

    def line(self) -> int:
        """The line of the next character, counting on from the last time it was asked."""
        place, line = self._counted
        line += self.text.count("\n", place, self.at)
        self._counted = (self.at, line)
        return line
