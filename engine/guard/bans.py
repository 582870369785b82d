"""Addresses that guess passwords: failures counted, bans that grow, all of it bounded and forgiven in time. Pure."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

BAN_AFTER: Final = 10  # failures within WINDOW_S
WINDOW_S: Final = 300.0
BAN_FIRST_S: Final = 60.0  # doubled with every further ban …
BAN_MOST_S: Final = 86_400.0  # … up to this
FORGIVE_S: Final = 86_400.0  # after a ban and so long without a failure everything is forgotten
MAX_ADDRESSES: Final = 10_000  # remembered; beyond, the one that failed longest ago is forgotten


@dataclass(slots=True)
class Offender:
    """One address."""

    failures: int = 0  # since the window began
    began: float = 0.0
    last: float = 0.0
    bans: int = 0
    until: float = 0.0


class Bans:
    """`now` is monotonic seconds."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Offender] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def is_banned(self, host: str, now: float) -> bool:
        """Whether nothing of this address is listened to now."""
        offender = self._known.get(host)
        return offender is not None and offender.until > now

    def fail(self, host: str, now: float) -> float:
        """One more failure; returns the seconds of the ban it brings, 0 for none."""
        offender = self._known.pop(host, None)
        if offender is None or now - max(offender.last, offender.until) > FORGIVE_S:
            offender = Offender(began=now)
        self._known[host] = offender
        if len(self._known) > MAX_ADDRESSES:
            self._known.popitem(last=False)
        if now - offender.began > WINDOW_S:
            offender.began, offender.failures = now, 0
        offender.last = now
        offender.failures += 1
        if offender.failures < BAN_AFTER:
            return 0.0
        seconds = min(BAN_MOST_S, BAN_FIRST_S * 2**offender.bans)
        offender.bans += 1
        offender.failures, offender.until, offender.began = 0, now + seconds, now + seconds
        return float(seconds)

    def succeed(self, host: str) -> None:
        """Who proved to be somebody has no failures; earlier bans are remembered."""
        offender = self._known.get(host)
        if offender is not None:
            offender.failures = 0
            if not offender.bans:
                del self._known[host]

    def forgive(self, host: str) -> bool:
        """Forget all about an address; tells whether there was anything."""
        return self._known.pop(host, None) is not None

    def banned(self, now: float) -> list[tuple[str, float, int]]:
        """Address, seconds left and bans so far, of those banned now."""
        return [(host, one.until - now, one.bans) for host, one in self._known.items() if one.until > now]
