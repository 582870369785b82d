"""Lists in pages: how many, from where, and the token of the next."""

from collections.abc import Iterable
from typing import Final

from santral.engine.cdr.store import MAX_LIST
from santral.engine.control.protocol import RequestError

DEFAULT_LIMIT: Final = 100

__all__ = ["DEFAULT_LIMIT", "MAX_LIST", "check_limit", "cut"]


def cut(names: Iterable[str], limit: int, after: str | None) -> tuple[list[str], str | None]:
    """Return the names of one page, in order, and the token of the next page if there is one."""
    check_limit(limit)
    rest = sorted(name for name in names if after is None or name > after)
    return rest[:limit], rest[limit - 1] if len(rest) > limit else None


def check_limit(limit: int) -> None:
    """Refuse a page of no size, or of too large a one."""
    if not 1 <= limit <= MAX_LIST:
        raise RequestError("bad_params", f"limit: must be 1 to {MAX_LIST}", {"fields": ["limit"]})
