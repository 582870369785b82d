"""Telephone numbers in URIs: tel: (RFC 3966), and sip: with user=phone, whose user part is written the same way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from santral.sip.errors import Malformed
from santral.sip.uri import Params, Uri, find_param, format_params

__all__ = ["MAX_NUMBER", "TelNumber", "number_of"]

MAX_NUMBER: Final = 64  # characters of a number with its visual separators
MAX_PARAMS: Final = 16

_GLOBAL: Final = re.compile(r"\+[0-9.\-()]*[0-9][0-9.\-()]*", re.ASCII).fullmatch
_LOCAL: Final = re.compile(r"[0-9A-Fa-f*#.\-()]+", re.ASCII).fullmatch
_VISUAL: Final = str.maketrans("", "", "-.()")  # RFC 3966 section 3
_PARAM: Final = re.compile(r"[A-Za-z0-9\-]+(?:=[A-Za-z0-9\-_.!~*'()\[\]/:&+$%]*)?", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class TelNumber:
    """A number as RFC 3966 writes it, without visual separators: `+905551112233`, or local digits with a context."""

    digits: str
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what follows `tel:`, or a user part of user=phone; raises Malformed."""
        number, semicolon, rest = text.partition(";")
        if len(number) > MAX_NUMBER or not (_GLOBAL(number) or _LOCAL(number)):
            raise Malformed(f"telephone number: {text[:40]!r}")
        digits = number.translate(_VISUAL)
        parts = rest.split(";") if semicolon else []
        if not digits or len(parts) > MAX_PARAMS or not all(map(_PARAM, parts)):
            raise Malformed(f"telephone number: {text[:40]!r}")
        pairs = (part.partition("=") for part in parts)
        return cls(digits, tuple((name, value if equals else None) for name, equals, value in pairs))

    def __str__(self) -> str:
        return self.digits + format_params(self.params)

    @property
    def number(self) -> str:
        """The number without parameters; a local one whose context is a global prefix comes with that prefix."""
        if self.digits[0] == "+":
            return self.digits
        context = (find_param(self.params, "phone-context") or "").translate(_VISUAL)
        return context + self.digits if _GLOBAL(context) else self.digits


def number_of(uri: Uri) -> str:
    """The number a URI names, or its user part where that is no number; "" for a URI that names neither."""
    if uri.scheme not in ("tel", "sip", "sips"):
        return ""
    text = uri.opaque if uri.scheme == "tel" else uri.user_decoded
    try:
        return TelNumber.parse(text).number
    except Malformed:
        return "" if uri.scheme == "tel" else text.partition(";")[0]
