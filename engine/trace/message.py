"""One SIP message on the wire, as traces keep it: octets, time, both ends. Nothing here parses more than it has to."""

import re
from typing import Final, NamedTuple

MAX_LINE: Final = 256  # characters of a first line that are shown

_USUAL: Final = b"\r\nCall-ID: "  # as nearly everybody writes it: found without an expression
_CALL_ID: Final = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE).search


class Traced(NamedTuple):
    """`at_us` is UTC in microseconds since 1970; `ours` and `theirs` are address and port without brackets."""

    at_us: int
    is_incoming: bool
    transport: str
    ours: tuple[str, int]
    theirs: tuple[str, int]
    leg: str
    data: bytes

    @property
    def source(self) -> tuple[str, int]:
        return self.theirs if self.is_incoming else self.ours

    @property
    def target(self) -> tuple[str, int]:
        return self.ours if self.is_incoming else self.theirs

    @property
    def first_line(self) -> str:
        return self.data.lstrip(b"\r\n").partition(b"\r\n")[0][:MAX_LINE].decode("utf-8", "replace")


def call_id_of(data: bytes) -> str | None:
    """The Call-ID of a message that may be anything; None where there is none."""
    at = data.find(_USUAL)
    if at >= 0:
        start = at + len(_USUAL)
        return data[start : data.find(b"\r\n", start)].strip(b" \t").decode("utf-8", "replace")
    found = _CALL_ID(data)
    return None if found is None else found[1].rstrip(b" \t").decode("utf-8", "replace")
