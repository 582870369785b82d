"""The line locator: every key of any TOML text, however it is laid out, is found on the line it stands on."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from santral.engine.config.lines import known_part, line_of, locate
from santral.engine.config.problems import KeyPath, spell

TEXT = '''\
# a comment with [brackets] and = signs
title = "x"  # trailing [[comment]]
a.b.'c d' = 1

[engine]
"node" = """
[[not a header]]
key = 'no'
\\""" "" """
dates = [1979-05-27 07:32:00, 1979-05-27]
[[trunk]]
name = 'one#'
targets = [  # first
    "a]",

    { uri = "b}", weight = { x = 1 } }, [ [ ],
    2 ],
]
[trunk.extra]
deep = 1
[[trunk]]
name = \'\'\'
two\'\'\'\'
[[trunk.inner]]
k = 1
[[trunk.inner]]
k = 2
[last.but.one]
k = -inf
'''

EXPECTED = {
    ("title",): 2,
    ("a",): 3,
    ("a", "b"): 3,
    ("a", "b", "c d"): 3,
    ("engine",): 5,
    ("engine", "node"): 6,
    ("engine", "dates"): 10,
    ("engine", "dates", 0): 10,
    ("engine", "dates", 1): 10,
    ("trunk",): 11,
    ("trunk", 0): 11,
    ("trunk", 0, "name"): 12,
    ("trunk", 0, "targets"): 13,
    ("trunk", 0, "targets", 0): 14,
    ("trunk", 0, "targets", 1): 16,
    ("trunk", 0, "targets", 1, "uri"): 16,
    ("trunk", 0, "targets", 1, "weight"): 16,
    ("trunk", 0, "targets", 1, "weight", "x"): 16,
    ("trunk", 0, "targets", 2): 16,
    ("trunk", 0, "targets", 2, 0): 16,
    ("trunk", 0, "targets", 2, 1): 17,
    ("trunk", 0, "extra"): 19,
    ("trunk", 0, "extra", "deep"): 20,
    ("trunk", 1): 21,
    ("trunk", 1, "name"): 22,
    ("trunk", 1, "inner"): 24,
    ("trunk", 1, "inner", 0): 24,
    ("trunk", 1, "inner", 0, "k"): 25,
    ("trunk", 1, "inner", 1): 26,
    ("trunk", 1, "inner", 1, "k"): 27,
    ("last",): 28,
    ("last", "but"): 28,
    ("last", "but", "one"): 28,
    ("last", "but", "one", "k"): 29,
}


def paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    """Every key path of a parsed document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(paths(one, (*path, step)) for step, one in inner)) - {()}


def test_every_key_of_a_difficult_text() -> None:
    assert paths(tomllib.loads(TEXT)) == EXPECTED.keys()
    assert locate(TEXT) == EXPECTED


def test_the_nearest_known_line_stands_for_what_is_missing() -> None:
    lines = locate(TEXT)
    assert known_part(lines, ("trunk", 0, "targets", 0, "uri")) == ("trunk", 0, "targets", 0)
    assert line_of(lines, ("trunk", 0, "tenant")) == 11
    assert line_of(lines, ("nothing",)) == 0


def test_key_paths_are_spelled_as_operators_read_them() -> None:
    assert spell(("trunk", 0, "targets", 1, "uri")) == "trunk[0].targets[1].uri"
    assert spell(()) == ""


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "a = 1", "a = 1\n", "\r\n[a]\r\nb=1\r\n"])
def test_small_texts(text: str) -> None:
    assert locate(text).keys() == paths(tomllib.loads(text))


KEYS = st.sampled_from(["a", "b", "c-1", '"q r"', "'l.t'", '"\\u0041"', "1"])
SCALARS = st.sampled_from(
    ["1", "-0.5e3", "true", "inf", '"s"', '"\\"]}#,"', "'x\\'", '"""m\n[t]\n"" """',
     "'''l\n=\n'''", '""""q""""', "''''q'''''",
     "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5", "07:32:00", "0xff", "1_000", '""', "''",
     '""""""', '"""\\\n  x"""']
)  # fmt: skip
GAPS = st.sampled_from([" ", "", "\n", "\n\n", " # ] } = [x]\n", "\t"])
NO_BREAKS = st.sampled_from(["", " ", "\t"])


@st.composite
def values(draw: st.DrawFn, depth: int = 0, breaks: bool = True) -> str:
    kind = draw(st.integers(0, 5)) if depth < 3 else 0
    if kind == 4:
        items = draw(st.lists(values(depth + 1, breaks), max_size=3))
        gaps = [draw(GAPS if breaks else NO_BREAKS) for _ in range(2 * len(items) + 1)]
        body = "".join(f"{gaps[2 * i]}{item}{gaps[2 * i + 1]}," for i, item in enumerate(items))
        return f"[{body}{gaps[-1]}]"
    if kind == 5:
        keys = draw(st.lists(KEYS, max_size=3, unique=True))
        pairs = ", ".join(f"{key} = {draw(values(depth + 1, False))}" for key in keys)
        return f"{{ {pairs} }}"
    text = draw(SCALARS)
    return text if breaks or "\n" not in text else "2"


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """A text and the line of every key written in a table, known because this made it."""
    text, expected, counts = "", dict[KeyPath, int](), dict[str, int]()
    for place in range(draw(st.integers(0, 4))):
        text += draw(st.sampled_from(["", "\n", "# [c]\n", "  "]))
        line = text.count("\n") + 1
        table: KeyPath
        if draw(st.booleans()):
            name = draw(st.sampled_from(["t", "u"]))
            table = (name, counts.get(name, 0))
            counts[name] = counts.get(name, 0) + 1
            text += f"[[ {name} ]]\n"
        else:
            table = (f"x{place}",)
            text += f"[x{place}] # here\n"
        expected[table] = line
        for key in draw(st.lists(KEYS, max_size=3, unique=True)):
            text += draw(st.sampled_from(["", "\n", "\t# c = 1\n"]))
            (name,) = tomllib.loads(f"{key} = 1")
            expected[(*table, name)] = text.count("\n") + 1
            text += f"{key}\t= {draw(values())}{draw(st.sampled_from(['', ' # end']))}\n"
    return text, expected


@given(documents())
@settings(max_examples=200)
def test_any_layout(document: tuple[str, dict[KeyPath, int]]) -> None:
    text, expected = document
    lines = locate(text)
    assert lines.keys() == paths(tomllib.loads(text))
    assert {path: lines[path] for path in expected} == expected
