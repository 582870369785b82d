"""Faults on purpose, by step name: how the tests prove that nothing is lost. Nothing happens unless asked for.

`SANTRAL_RECORDER_FAULTS`, or `faults` of the settings: rules parted by commas, each `point:what`.
Points: a step's name (before it acts), `<step>.done` (it has acted, and that is not written down yet), `stored.half`
and `moved.half` (in the middle of an upload), `erased` (before each file), `erased.done`. What: `kill` (SIGKILL, as
`kill -9`), `fail=ENOSPC` (any errno name: OSError), `delay=SECONDS`; with `*N` the first N times only, else every time.
"""

import errno
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "SANTRAL_RECORDER_FAULTS"


@dataclass(slots=True)
class _Rule:
    point: str
    what: str
    value: str
    left: int  # -1: always


class Faults:
    """The rules, and how often each may still strike."""

    def __init__(self, text: str = "") -> None:
        self._lock = threading.Lock()
        self._rules = [_parse(each) for each in (text or os.environ.get(VARIABLE, "")).split(",") if each.strip()]

    def at(self, point: str) -> None:
        """Do what the rules say of this point. Raises OSError where they say fail."""
        if not self._rules:
            return
        for rule in self._rules:
            if rule.point == point and self._strikes(rule):
                _strike(rule)

    def _strikes(self, rule: _Rule) -> bool:
        with self._lock:
            if rule.left:
                rule.left -= rule.left > 0
                return True
            return False


def _parse(text: str) -> _Rule:
    point, _, what = text.strip().partition(":")
    what, _, times = what.partition("*")
    what, _, value = what.partition("=")
    if what not in {"kill", "fail", "delay"}:
        raise ValueError(f"not a fault: {text!r}")
    return _Rule(point, what, value, int(times or -1))


def _strike(rule: _Rule) -> None:
    match rule.what:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "fail":
            number = getattr(errno, rule.value or "EIO")
            raise OSError(number, os.strerror(number))
        case _:
            time.sleep(float(rule.value or 1))
