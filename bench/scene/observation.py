"""One line of the demo's table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Observation:
    """In `step`, `what` was looked for, `seen` is what was there, `ok` whether it is what it should be."""

    step: str
    what: str
    seen: str
    ok: bool
