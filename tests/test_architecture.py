"""The shape of the house, enforced: who may import whom, and what the pure rooms must not touch."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ROOMS = {  # room -> rooms of ours it may import (itself always)
    "codecs": set(),
    "sip": set(),
    "routing": set(),
    "recorder": {"codecs"},
    "engine/media": {"codecs", "recorder"},
    "engine": {"codecs", "sip", "routing", "recorder", "engine/media", "bench"},
    "bench": {"codecs", "sip", "routing", "recorder", "engine/media", "engine"},
}
TOP = ("codecs", "sip", "routing", "recorder", "engine", "bench")
LAZY_ONLY = {("engine", "bench")}  # the CLI imports the benchmarks inside a function, nowhere else
PURE = ("sip", "routing")  # no clock, no I/O, no randomness; sip/transport is the one exception
IMPURE = {"asyncio", "socket", "ssl", "threading", "time", "random", "os"}

CIMPORT = re.compile(r"^\s*(?:from\s+(santral[\w.]*)\s+c?import\s+(.+)|c?import\s+(santral[\w.]*))", re.MULTILINE)


def sources() -> list[Path]:
    found = (path for room in TOP for path in (ROOT / room).rglob("*.py*") if "__pycache__" not in path.parts)
    return sorted(path for path in found if path.suffix in {".py", ".pyx", ".pxd", ".pyi"})


def room_of(module: str) -> str | None:
    """The room of a dotted module name or of a path with dots, `None` when it is not ours."""
    parts = module.split(".")
    if parts[0] != "santral" or len(parts) < 2:
        return None
    return "engine/media" if parts[1:3] == ["engine", "media"] else parts[1]


def home(path: Path) -> str:
    return str(room_of("santral." + ".".join(path.relative_to(ROOT).with_suffix("").parts)))


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """Each imported module's dotted name, and whether the import stands at module level."""
    text = path.read_text()
    if path.suffix != ".py":
        for match in CIMPORT.finditer(text):
            base, names = match[1] or match[3], match[2] or ""
            yield base, True
            yield from ((f"{base}.{n.split()[0]}", True) for n in names.strip("() \\").split(",") if n.strip())
        return
    tree = ast.parse(text)
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        package = "santral." + ".".join(path.relative_to(ROOT).parts[:-1])
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(
                    [*package.split(".")[: len(package.split(".")) - node.level + 1], *filter(None, [base])]
                )
            yield base, id(node) in top
            yield from ((f"{base}.{alias.name}", id(node) in top) for alias in node.names)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_follow_the_table(path: Path) -> None:
    room = home(path)
    for module, at_top in imported(path):
        target = room_of(module)
        if target is None or target == room:
            continue
        assert target in ROOMS[room], f"{room} may not import {module}"
        assert not (at_top and (room, target) in LAZY_ONLY), f"{module} is imported lazily only"


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_no_clock_and_no_socket(room: str) -> None:
    for path in sources():
        parts = path.relative_to(ROOT).parts
        if parts[0] != room or parts[1] == "transport":
            continue
        touched = {module.split(".")[0] for module, _ in imported(path)} & IMPURE
        assert not touched, f"{path.relative_to(ROOT)} imports {sorted(touched)}"


def test_every_room_has_its_link() -> None:
    links = {link.name: link.resolve() for link in (ROOT / "src/santral").iterdir()}
    assert links == {room: ROOT / room for room in TOP}


def test_folders_stay_small() -> None:
    """A folder of more than 15 sources shows nothing: split it by kind of work."""
    folders: dict[Path, int] = {}
    for path in sources():
        if path.suffix in {".py", ".pyx"}:
            folders[path.parent] = folders.get(path.parent, 0) + 1
    assert {str(f): n for f, n in folders.items() if n > 15} == {}
