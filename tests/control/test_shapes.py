"""Parameters are checked against the annotations of their dataclass."""
# ruff: noqa: RUF009 - `about` makes a dataclass field, which is what a default may be

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from santral.engine.control.protocol import RequestError
from santral.engine.control.shapes import MAX_TEXT, about, build, parameters


@dataclass(frozen=True)
class Sample:
    name: str = about("a text")
    count: int = about("a number", 3)
    ratio: float = about("any number", 0.5)
    flag: bool = about("yes or no", False)
    maybe: int | None = about("a number or nothing", None)
    kind: Literal["a", "b"] = about("a word", "a")
    tags: tuple[str, ...] = about("texts", ("x",))
    custom: dict[str, str] | None = about("a map", None)


KNOWN = parameters(Sample)


def test_defaults_fill_what_is_left_out() -> None:
    assert build(Sample, KNOWN, {"name": "n"}) == Sample("n")


def test_every_field_is_taken() -> None:
    given = {"name": "n", "count": 4, "ratio": 2, "flag": True, "maybe": 5, "kind": "b", "tags": ["p", "q"]}
    assert build(Sample, KNOWN, {**given, "custom": {"k": "v"}}) == Sample(
        "n", 4, 2.0, True, 5, "b", ("p", "q"), {"k": "v"}
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "name"),
        ({"name": "n", "other": 1}, "other"),
        ({"name": 1}, "name"),
        ({"name": "x" * (MAX_TEXT + 1)}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "n", "count": "4"}, "count"),
        ({"name": "n", "count": True}, "count"),
        ({"name": "n", "count": 4.0}, "count"),
        ({"name": "n", "count": 2**60}, "count"),
        ({"name": "n", "ratio": float("nan")}, "ratio"),
        ({"name": "n", "flag": 1}, "flag"),
        ({"name": "n", "maybe": "x"}, "maybe"),
        ({"name": "n", "kind": "c"}, "kind"),
        ({"name": "n", "kind": ["a"]}, "kind"),
        ({"name": "n", "tags": "x"}, "tags"),
        ({"name": "n", "tags": [1]}, "tags"),
        ({"name": "n", "custom": {"k": 1}}, "custom"),
        ({"name": "n", "custom": []}, "custom"),
    ],
)
def test_a_wrong_field_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as refusal:
        build(Sample, KNOWN, given)
    assert refusal.value.code == "bad_params"
    assert refusal.value.data == {"fields": [field]}


def test_parameters_describe_themselves() -> None:
    assert [(each.name, each.type, each.required) for each in KNOWN] == [
        ("name", "str", True),
        ("count", "int", False),
        ("ratio", "float", False),
        ("flag", "bool", False),
        ("maybe", "int or nil", False),
        ("kind", "a | b", False),
        ("tags", "list of str", False),
        ("custom", "map of str to str or nil", False),
    ]
    assert KNOWN[6].as_map() == {
        "name": "tags",
        "type": "list of str",
        "required": False,
        "about": "texts",
        "default": ["x"],
    }


def test_an_annotation_without_a_check_fails_when_the_table_is_made() -> None:
    @dataclass(frozen=True)
    class Wrong:
        field: set[str] = about("cannot come over the wire")

    with pytest.raises(TypeError, match="no check"):
        parameters(Wrong)
