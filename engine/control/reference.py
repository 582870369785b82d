"""Writes the reference of methods and events into docs/control.md, from the tables that the engine runs on.

`python -m santral.engine.control.reference docs/control.md` renews it; a test keeps the page equal to the tables.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from santral.engine.control.commands import describe
from santral.engine.events import EVENTS

MARKS: Final = {name: (f"<!-- {name}: generated -->", f"<!-- {name}: end -->") for name in ("methods", "events")}


def methods() -> Iterator[str]:
    """Describe every method and its parameters."""
    for each in describe():
        scope = f"scope `{each['scope']}`" if each["scope"] else "no login needed"
        yield f"### {each['name']}"
        yield ""
        yield f"{each['about']} ({scope}{', takes `key`' if each['key'] else ''})"
        yield ""
        if each["params"]:
            yield "| parameter | type | default | |"
            yield "|---|---|---|---|"
            yield from (parameter(one) for one in each["params"])
            yield ""


def parameter(one: dict[str, Any]) -> str:
    """Describe one parameter as a row."""
    default = "" if one["required"] else f"`{shown(one['default'])}`"
    return f"| `{one['name']}` | {escaped(one['type'])} | {default} | {escaped(one['about'])} |"


def events() -> Iterator[str]:
    """Describe every event and its fields."""
    yield "| type | tells | fields |"
    yield "|---|---|---|"
    for name, row in EVENTS.items():
        fields = ", ".join(f"`{each}` {escaped(kind)}" for each, kind in row.fields.items())
        yield f"| `{name}` | {escaped(row.tells)} | {fields} |"
    yield ""


def shown(value: Any) -> str:
    """Write a default as a client would."""
    if value is None:
        return "nil"
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def escaped(text: str) -> str:
    """Keep a text inside its table cell."""
    return text.replace("|", "\\|")


def renewed(page: str) -> str:
    """Return `page` with both parts replaced; ValueError when a mark is missing."""
    for name, lines in (("methods", methods()), ("events", events())):
        begin, end = MARKS[name]
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the page has no part between {begin} and {end}")
        page = "\n".join((f"{before}{begin}", "", *lines)) + f"{end}{after}"
    return page


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text()))
