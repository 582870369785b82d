"""The key tables of `docs/configuration.md`, made from the models so that they cannot differ from what is checked.

`python -m santral.engine.config.reference docs/configuration.md` writes them anew between the page's two marks.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from santral.engine.config.fields import Words, remark_of
from santral.engine.config.model import TABLES, Config
from santral.engine.config.not_yet import KEYS, VALUES
from santral.engine.config.tables.base import Table

BEGIN: Final = "<!-- made by santral.engine.config.reference: begin -->"
SCALARS: Final = {bool: "boolean", int: "integer", float: "number", str: "text"}
END: Final = "<!-- made by santral.engine.config.reference: end -->"


def renew(page: str) -> str:
    """The page with its key tables made anew. Raises ValueError for a page without the two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page lacks its marks")
    return "".join((before, begin, "\n\n", key_tables(), "\n", end, after))


def key_tables() -> str:
    lines: list[str] = []
    for name, table in TABLES.items():
        if table is not Config:
            lines += [f"### {_heading(name)}", "", str(table.__doc__).strip(), "", *_rows(table), ""]
    lines += ["### Not in this version", "", *_not_yet(), ""]
    return "\n".join(lines)


def _heading(name: str) -> str:
    outer, _, inner = name.rpartition(".")
    if name in ("control.token", "trunk.header", "recording.stores"):
        return f"`[[{name}]]`"
    if outer:
        return f"Each of `{inner}` in `[[{outer}]]`"
    return f"`[[{name}]]`" if get_origin(Config.model_fields[name].annotation) is tuple else f"`[{name}]`"


def _rows(table: type[Table]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in table.model_fields.items():
        remark = remark_of(field)
        notes = " Changing it takes a restart." if remark.restart else ""
        cells = (f"`{field.alias or key}`", words_of(field), default_of(field), f"{field.description}{notes}")
        yield _row(*cells)


def _not_yet() -> Iterator[str]:
    yield "These keys and values are known and refused, with the sentence given here."
    yield ""
    yield "| key | what is said |"
    yield "|---|---|"
    for key, reason in KEYS.items():
        fine = ", ".join(f"`{_toml(value)}`" for value in reason.same_as_absent)
        yield _row(f"`{key}`", f"{reason.sentence} Accepted: {fine}." if fine else reason.sentence)
    for key, values in VALUES.items():
        for sentence in dict.fromkeys(values.values()):
            refused = ", ".join(f'`"{value}"`' for value, said in values.items() if said == sentence)
            yield _row(f"`{key}` = {refused}", sentence)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def words_of(field: FieldInfo) -> str:
    """The type of a key in words."""
    return _words(field.annotation, field.metadata)


def _words(kind: Any, metadata: list[Any]) -> str:
    said = next((one.text for one in metadata if isinstance(one, Words)), None)
    if said is not None:
        return str(said)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _words(inner[0], [part for one in inner[1:] for part in _parts(one)] + metadata)
    if origin in (Union, UnionType):
        return _words(next(one for one in inner if one is not NoneType), metadata)
    if origin is tuple:
        return f"list of {_words(inner[0], [])}"
    if origin is Literal:
        return ", ".join(f"`{_toml(value)}`" for value in inner)
    return "table" if issubclass(kind, Table) else f"{SCALARS[kind]}{_bounds(metadata)}"


def _parts(metadata: Any) -> list[Any]:
    return metadata.metadata if isinstance(metadata, FieldInfo) else [metadata]


def _bounds(metadata: list[Any]) -> str:
    low = next((one.ge for one in metadata if isinstance(one, annotated_types.Ge)), None)
    high = next((one.le for one in metadata if isinstance(one, annotated_types.Le)), None)
    return "" if low is None else f" ≥ {low}" if high is None else f", {low} to {high}"


def default_of(field: FieldInfo) -> str:
    """The default of a key as the file would write it, or words for it."""
    said = remark_of(field).default
    if said is not None:
        return said
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "–" if value in (None, ()) else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return str(value)
    if type(value) is tuple:
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"'


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(renew(page.read_text("utf-8")), "utf-8")
