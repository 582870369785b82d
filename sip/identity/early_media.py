"""P-Early-Media (RFC 5009): who may be heard before the answer. Believed from trusted peers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from santral.sip.errors import Malformed
from santral.sip.headers import is_token

__all__ = ["EarlyMedia"]

DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
MAX_VALUES: Final = 16


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """`directions`: one per media line, as the sender of the header is authorised; `others`: extensions, in order."""

    directions: tuple[str, ...] = ()
    supported: bool = False
    gated: bool = False
    others: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value; raises Malformed."""
        values = [value.strip(" \t").lower() for value in text.split(",")]
        if len(values) > MAX_VALUES or not all(map(is_token, values)):
            raise Malformed(f"P-Early-Media: {text[:40]!r}")
        return cls(
            tuple(value for value in values if value in DIRECTIONS),
            "supported" in values,
            "gated" in values,
            tuple(value for value in values if value not in (*DIRECTIONS, "supported", "gated")),
        )

    def __str__(self) -> str:
        flags = [name for name, is_there in (("supported", self.supported), ("gated", self.gated)) if is_there]
        return ", ".join((*self.directions, *flags, *self.others))
