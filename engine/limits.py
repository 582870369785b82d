"""How many calls may run, and how fast they may come. Sans-IO: `now` is monotonic seconds, handed in.

Counts speak to a `Store`, so that several nodes can share them later; calls per second stay local to a node.
Nothing here decides a SIP answer: a `Refusal` says which limit was met, the caller maps it (RFC 3261 21.5.4).
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

CALLS_KEY: Final = "calls"
EMERGENCY_KEY: Final = "emergency"
MAX_THROTTLE_KEYS: Final = 4096  # sources remembered by a Throttle; beyond it the stalest is forgotten


class TokenBucket:
    """At most `rate` a second on average, and a burst of one second's worth (at least one)."""

    __slots__ = ("_burst", "_level", "_rate", "_then")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._burst = max(rate, 1.0)
        self._level = self._burst
        self._then = now

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        if not self.has(now):
            return False
        self._level -= 1.0
        return True

    def has(self, now: float) -> bool:
        """Tell whether `take` would succeed now."""
        self._refill(now)
        return self._level >= 1.0

    def wait(self, now: float) -> float:
        """Return the seconds until the next token; infinity when the rate is 0 and the burst is spent."""
        self._refill(now)
        missing = 1.0 - self._level
        if missing <= 0:
            return 0.0
        return missing / self._rate if self._rate > 0 else math.inf

    def change_rate(self, rate: float, now: float) -> None:
        """Go on with another rate; tokens already spent stay spent."""
        self._refill(now)
        self._rate, self._burst = rate, max(rate, 1.0)
        self._level = min(self._level, self._burst)

    def _refill(self, now: float) -> None:
        if now > self._then:
            self._level = min(self._burst, self._level + (now - self._then) * self._rate)
            self._then = now


class Store(Protocol):
    """Who holds what, shared by all nodes. Each operation is small, atomic and safe to repeat."""

    def reserve(self, key: str, holder: str, limit: int | None) -> bool:
        """Let `holder` count under `key` unless `limit` others do; True also when it already counts."""
        ...

    def release(self, key: str, holder: str) -> None:
        """Stop counting `holder` under `key`; nothing happens if it did not."""
        ...

    def count(self, key: str) -> int:
        """Return how many hold `key`."""
        ...


class LocalStore:
    """The `Store` of a single node: sets in this process."""

    def __init__(self) -> None:
        self._holders: dict[str, set[str]] = {}

    def reserve(self, key: str, holder: str, limit: int | None) -> bool:
        holders = self._holders.setdefault(key, set())
        if holder in holders:
            return True
        if limit is not None and len(holders) >= limit:
            return False
        holders.add(holder)
        return True

    def release(self, key: str, holder: str) -> None:
        holders = self._holders.get(key)
        if holders is not None:
            holders.discard(holder)
            if not holders:
                del self._holders[key]

    def count(self, key: str) -> int:
        return len(self._holders.get(key, ()))


@dataclass(frozen=True, slots=True)
class TrunkLimit:
    """Bounds of one trunk or user, both directions together; None is no bound."""

    channels: int | None = None
    calls_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Bounds of this node; None is no bound. `trunks` are by name, and users among them by address of record (no name
    of a trunk has an @).
    """

    max_calls: int | None = None
    max_calls_per_second: float | None = None
    trunks: Mapping[str, TrunkLimit] = field(default_factory=dict)
    emergency_calls: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that was met.

    `retry_after_s` is set only where our own overload is the reason (503 with Retry-After); a trunk whose channels
    are used up answers its configured 486 or 503 without it.
    """

    reason: Literal[
        "max_calls", "calls_per_second", "trunk_calls_per_second", "trunk_channels", "user_channels", "emergency_calls"
    ]
    trunk: str | None = None
    retry_after_s: int | None = None


class Limits:
    """Admits calls and trunk channels, and gives them back. Holders are ids of calls and of legs."""

    def __init__(self, settings: LimitSettings, store: Store | None = None) -> None:
        self._settings = settings
        self._store: Store = store or LocalStore()
        self._buckets: dict[str, TokenBucket] = {}
        self._held: dict[str, list[tuple[str, str]]] = {}  # call or leg -> keys, and as whom it counts there
        self._members: Counter[tuple[str, str]] = Counter()  # legs that count as one
        self.refused: dict[str, int] = {}  # reason -> how often, for metrics

    def reconfigure(self, settings: LimitSettings, now: float) -> None:
        """Take new bounds. What is held stays held, also above a lowered bound; rates change at once."""
        self._settings = settings
        rates = {f"trunk:{name}": trunk.calls_per_second for name, trunk in settings.trunks.items()}
        rates[CALLS_KEY] = settings.max_calls_per_second
        for key in list(self._buckets):
            rate = rates.get(key)
            if rate is None:
                del self._buckets[key]
            else:
                self._buckets[key].change_rate(rate, now)

    def admit(self, call: str, leg: str, trunk: str, now: float) -> Refusal | None:
        """Let a new call in by its first leg on `trunk`; on refusal nothing was taken or spent."""
        settings, limit = self._settings, self._trunk(trunk)
        total, own = self._bucket(CALLS_KEY, settings.max_calls_per_second, now), self._trunk_bucket(trunk, now)
        if total and not total.has(now):
            return self._refuse(Refusal("calls_per_second", None, whole_seconds(total.wait(now))))
        if own and not own.has(now):
            return self._refuse(Refusal("trunk_calls_per_second", trunk, whole_seconds(own.wait(now))))
        if not self._reserve(CALLS_KEY, call, settings.max_calls):
            return self._refuse(Refusal("max_calls", None, 1))
        if not self._reserve(f"trunk:{trunk}", leg, limit.channels):
            self.release(call)
            return self._refuse(_full(trunk))
        for bucket in (total, own):
            if bucket:
                bucket.take(now)
        return None

    def admit_own(self, call: str, now: float) -> Refusal | None:
        """Let a call in that begins here; its legs take their channels as they are dialled."""
        total = self._bucket(CALLS_KEY, self._settings.max_calls_per_second, now)
        if total and not total.has(now):
            return self._refuse(Refusal("calls_per_second", None, whole_seconds(total.wait(now))))
        if not self._reserve(CALLS_KEY, call, self._settings.max_calls):
            return self._refuse(Refusal("max_calls", None, 1))
        if total:
            total.take(now)
        return None

    def admit_emergency(self, call: str) -> Refusal | None:
        """Let a call for help in, past every limit but one of its own."""
        if not self._reserve(EMERGENCY_KEY, call, self._settings.emergency_calls):
            return self._refuse(Refusal("emergency_calls", None, 1))
        return None

    def take_channel(self, leg: str, trunk: str, now: float, group: str | None = None) -> Refusal | None:
        """Let an outgoing leg use `trunk`; on refusal nothing was taken, and the plan's next attempt may be tried.

        The legs of one `group` count as one: the phones of a user that ring at once.
        """
        own = self._trunk_bucket(trunk, now)
        if own and not own.has(now):
            return self._refuse(Refusal("trunk_calls_per_second", trunk, whole_seconds(own.wait(now))))
        if not self._reserve(f"trunk:{trunk}", leg, self._trunk(trunk).channels, group):
            return self._refuse(_full(trunk))
        if own:
            own.take(now)
        return None

    def share(self, holder: str, with_: str) -> None:
        """Let `holder` keep the channels that `with_` has now, as one with it, until both have given them back."""
        for key, name in self._held.get(with_, ()):
            held = self._held.setdefault(holder, [])
            if (key, name) not in held:
                held.append((key, name))
                self._members[key, name] += 1

    def release(self, *holders: str) -> None:
        """Give back everything these calls or legs hold; repeating it does nothing."""
        for holder in holders:
            for key, name in self._held.pop(holder, ()):
                self._members[key, name] -= 1
                if not self._members[key, name]:
                    del self._members[key, name]
                    self._store.release(key, name)

    def calls(self) -> int:
        """Return how many calls are admitted now."""
        return self._store.count(CALLS_KEY)

    def channels(self, trunk: str) -> int:
        """Return how many legs use `trunk` now."""
        return self._store.count(f"trunk:{trunk}")

    def is_full(self, trunk: str) -> bool:
        """Tell whether another leg on `trunk` would be refused for its channels."""
        limit = self._trunk(trunk).channels
        return limit is not None and self.channels(trunk) >= limit

    def holders(self) -> int:
        """Return how many calls and legs hold something, for leak tests."""
        return len(self._held)

    def _trunk(self, trunk: str) -> TrunkLimit:
        return self._settings.trunks.get(trunk) or TrunkLimit()

    def _trunk_bucket(self, trunk: str, now: float) -> TokenBucket | None:
        return self._bucket(f"trunk:{trunk}", self._trunk(trunk).calls_per_second, now)

    def _bucket(self, key: str, rate: float | None, now: float) -> TokenBucket | None:
        if rate is None:
            return None
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(rate, now)
        return bucket

    def _reserve(self, key: str, holder: str, limit: int | None, group: str | None = None) -> bool:
        name = group or holder
        if not self._store.reserve(key, name, limit):
            return False
        held = self._held.setdefault(holder, [])
        if (key, name) not in held:
            held.append((key, name))
            self._members[key, name] += 1
        return True

    def _refuse(self, refusal: Refusal) -> Refusal:
        self.refused[refusal.reason] = self.refused.get(refusal.reason, 0) + 1
        return refusal


def _full(trunk: str) -> Refusal:
    return Refusal("user_channels" if "@" in trunk else "trunk_channels", trunk)


class Throttle:
    """Says which of many repeated things may be reported: at most `rate` a second per key, in bounded memory."""

    def __init__(self, rate: float, max_keys: int = MAX_THROTTLE_KEYS) -> None:
        self._rate = rate
        self._max_keys = max_keys
        self._keys: OrderedDict[str, tuple[TokenBucket, int]] = OrderedDict()  # -> bucket, held back since

    def allow(self, key: str, now: float) -> int | None:
        """Return how many of `key` were held back since the last one let through, or None to hold this one back."""
        known = self._keys.pop(key) if key in self._keys else None
        bucket, held_back = known or (TokenBucket(self._rate, now), 0)
        allowed = bucket.take(now)
        self._keys[key] = (bucket, 0 if allowed else held_back + 1)
        if len(self._keys) > self._max_keys:
            self._keys.popitem(last=False)
        return held_back if allowed else None


def whole_seconds(wait_s: float) -> int:
    """Round a wait up for Retry-After (RFC 3261 20.33): at least 1, at most an hour."""
    return max(1, math.ceil(min(wait_s, 3600.0)))
