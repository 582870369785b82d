"""From a map off the wire to a frozen dataclass, checked field by field against its annotations.

A shape is any dataclass whose fields are str, int, float, bool, `X | None`, `tuple[str, ...]`, `str | tuple[str, ...]`,
`dict[str, str]`, `dict[str, int]` or a Literal of texts, each described by `about(...)`. Unknown shapes of annotation
fail when the table is built, not later.
"""

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from santral.engine.control.protocol import RequestError

MAX_TEXT: Final = 4096  # characters of one text parameter
MAX_INTEGER: Final = 2**53 - 1  # what every client language reads back exactly

Check = Callable[[Any], Any]  # returns the value to use; ValueError says what it must be
Command = TypeVar("Command")


def about(text: str, default: Any = dataclasses.MISSING) -> Any:
    """Describe a field of a command, in words for the reference."""
    return dataclasses.field(default=default, metadata={"about": text})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method, as checked and as shown by `engine.methods`."""

    name: str
    type: str
    required: bool
    default: Any
    about: str
    check: Check

    def as_map(self) -> dict[str, Any]:
        """Describe it to a client."""
        shown = {"name": self.name, "type": self.type, "required": self.required, "about": self.about}
        return shown if self.required else {**shown, "default": self.default}


def parameters(shape: type[Any]) -> tuple[Parameter, ...]:
    """Read the parameters of a command off its dataclass; TypeError for an annotation not known here."""
    hints = get_type_hints(shape)
    found = []
    for each in dataclasses.fields(shape):
        required = each.default is dataclasses.MISSING
        name, check = checker(hints[each.name])
        default = None if required else wire_value(each.default)
        found.append(Parameter(each.name, name, required, default, each.metadata.get("about", ""), check))
    return tuple(found)


def build(shape: type[Command], known: tuple[Parameter, ...], given: Mapping[str, Any]) -> Command:
    """Make a command from a request's parameters; RequestError names every one that is missing, surplus or wrong."""
    problems: dict[str, str] = {name: "unknown" for name in given if name not in {each.name for each in known}}
    values: dict[str, Any] = {}
    for each in known:
        if each.name in given:
            try:
                values[each.name] = each.check(given[each.name])
            except ValueError as problem:
                problems[each.name] = str(problem)
        elif each.required:
            problems[each.name] = "missing"
    if problems:
        listed = "; ".join(f"{name[:64]}: {problem}" for name, problem in list(problems.items())[:8])
        raise RequestError("bad_params", listed, {"fields": list(problems)[:8]})
    return shape(**values)


def checker(annotation: Any) -> tuple[str, Check]:
    """Return the name of an annotated type in the protocol's words, and its check."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType} and len(arguments) == 2 and type(None) in arguments:
        name, inner = checker(next(each for each in arguments if each is not type(None)))
        return f"{name} or nil", lambda value: None if value is None else inner(value)
    if annotation == str | tuple[str, ...]:
        several = list_of("str", text)
        return "str or list of str", lambda value: several(value) if isinstance(value, list) else text(value)
    if origin is Literal and all(isinstance(each, str) for each in arguments):
        return " | ".join(arguments), one_of(arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        name, inner = checker(arguments[0])
        return f"list of {name}", list_of(name, inner)
    raise TypeError(f"no check for parameters of type {annotation}")


def text(value: Any) -> str:
    """A text of bounded length, without NUL."""
    if not isinstance(value, str):
        raise ValueError("must be str")
    if len(value) > MAX_TEXT or "\0" in value:
        raise ValueError(f"must be at most {MAX_TEXT} characters, none of them NUL")
    return value


def integer(value: Any) -> int:
    """A whole number that any client can read back."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_INTEGER:
        raise ValueError("must be int")
    return value


def number(value: Any) -> float:
    """A finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("must be float")
    return float(value)


def truth(value: Any) -> bool:
    """True or false, nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise ValueError("must be bool")
    return value


def one_of(names: tuple[str, ...]) -> Check:
    """One of a few words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return value

    return check


def list_of(name: str, inner: Check) -> Check:
    """A list whose elements all pass `inner`."""

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"must be list of {name}")
        return tuple(inner(each) for each in value)

    return check


def map_of_texts(value: Any) -> dict[str, str]:
    """A map of texts to texts."""
    if not isinstance(value, dict):
        raise ValueError("must be map of str to str")
    return {text(name): text(each) for name, each in value.items()}


def map_of_integers(value: Any) -> dict[str, int]:
    """A map of texts to whole numbers."""
    if not isinstance(value, dict):
        raise ValueError("must be map of str to int")
    return {text(name): integer(each) for name, each in value.items()}


def wire_value(value: Any) -> Any:
    """Return a default as a client would write it."""
    return list(value) if isinstance(value, tuple) else value


PLAIN: Final[dict[Any, tuple[str, Check]]] = {
    str: ("str", text),
    int: ("int", integer),
    float: ("float", number),
    bool: ("bool", truth),
    dict[str, str]: ("map of str to str", map_of_texts),
    dict[str, int]: ("map of str to int", map_of_integers),
}
