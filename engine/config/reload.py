"""What a reload cannot change: keys whose new value takes a restart."""

from collections.abc import Iterator
from typing import Any

from santral.engine.config.fields import remark_of
from santral.engine.config.model import Config
from santral.engine.config.tables.base import Table


def changes_needing_restart(old: Config, new: Config) -> list[str]:
    """One sentence for each key that differs and that the running engine cannot take over: `sip.listen: ... to ...`."""
    return list(_changes("", old, new))


def _changes(path: str, old: Table, new: Table) -> Iterator[str]:
    for name, field in type(old).model_fields.items():
        here = f"{path}.{name}" if path else name
        before, after = getattr(old, name), getattr(new, name)
        if remark_of(field).restart:
            if before != after:
                yield f"{here}: {_show(before)} to {_show(after)}"
        elif isinstance(before, Table) and isinstance(after, Table):
            yield from _changes(here, before, after)
        elif name == "metrics" and before != after:
            yield f"{here}: switched {'on' if before is None else 'off'}"
        elif name == "interface":
            yield from _interfaces(old, new)


def _interfaces(old: Any, new: Any) -> Iterator[str]:
    before, after = ({one.name: one for one in config.interface} for config in (old, new))
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield f"interface {name}: taken away"
        elif name not in before:
            yield f"interface {name}: added"
        else:
            yield from _changes(f"interface {name}", before[name], after[name])


def _show(value: Any) -> str:
    if type(value) is tuple:  # a plain list of values; a port range is one value
        return ", ".join(map(_show, value)) or "nothing"
    if isinstance(value, float):
        return f"{value:g}"
    return "nothing" if value is None else str(value)
