"""What docs/conformance.md claims has a test behind it, and the tests it names exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs/conformance.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w*)`", PAGE)))
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line and "| Tests |" not in line]


@cache
def found_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda part: part or "all")
def test_what_is_named_exists(file: str, test: str) -> None:
    assert test in found_in(file) if test else found_in(file)


def test_every_row_names_a_test_or_says_what_is_missing() -> None:
    assert len(ROWS) > 70
    for row in ROWS:
        assert "::" in row or "**Not yet" in row or "**No" in row, row
