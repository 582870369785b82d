"""Keys and values of the contract that this version does not serve: refused by name, never silently ignored.

A value that asks for nothing more than what this version does anyway is taken and forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from santral.engine.config.problems import KeyPath


@dataclass(frozen=True, slots=True)
class NotYet:
    """Why a key is refused, and the values that are as good as leaving it out."""

    sentence: str
    same_as_absent: tuple[Any, ...] = ()


_KIND: Final = (
    "This kind of destination comes with a later version; there are trunk, user, queue, message, conference, agent, "
    "echo, play, reject."
)
KEYS: Final[Mapping[str, NotYet]] = {
    "route.destinations.flow": NotYet(_KIND),
    "route.destinations.webhook": NotYet(_KIND),
    "route.destinations.app": NotYet(_KIND),
    "route.destinations.missed": NotYet(_KIND),
}

_CODEC: Final = "This codec comes with a later version; there are pcma, pcmu, g722, opus, l16 and g729."

VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "trunk.codecs": dict.fromkeys(("gsm", "ilbc", "amr", "amr-wb"), _CODEC),
}


def forget(raw: Any, name: str = "") -> None:
    """Remove from `raw` (tables as `tomllib` reads them) the keys above whose value is as good as none."""
    if isinstance(raw, dict):
        for key in list(raw):
            inner = f"{name}.{key}" if name else key
            same = KEYS[inner].same_as_absent if inner in KEYS else ()
            if any(raw[key] == value and type(raw[key]) is type(value) for value in same):
                del raw[key]
            else:
                forget(raw[key], inner)
    elif isinstance(raw, list):
        for element in raw:
            forget(element, name)


def reason(path: KeyPath, value: Any = None) -> str | None:
    """Why this key, or this value of it, is not served; `None` when this version has nothing to say about it."""
    name = ".".join(step for step in path if isinstance(step, str))
    if name in KEYS:
        return KEYS[name].sentence
    return VALUES.get(name, {}).get(value) if isinstance(value, str) else None
