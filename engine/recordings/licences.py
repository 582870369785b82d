"""How many recordings of a tenant run at once, against its limit; and the most there were, day by day, for the bill.

A call that is to be recorded takes its licence when it begins, so that it is refused then and not in the middle.
"""

from collections.abc import Callable
from typing import Final

HIGH_WATER: Final = "recording_licences"  # in the table of usage


class Licences:
    """Holders by tenant. `on_peak` hears of (tenant, licences) whenever there are more than ever before that day."""

    def __init__(self, on_peak: Callable[[str, int], None], today: Callable[[], str]) -> None:
        self._on_peak, self._today = on_peak, today
        self._held: dict[str, set[str]] = {}
        self._peaks: dict[str, tuple[str, int]] = {}

    def take(self, tenant: str, holder: str, limit: int) -> bool:
        """A licence for this holder, who may have it already; False when all are in use."""
        held = self._held.setdefault(tenant, set())
        if holder not in held and len(held) >= limit:
            return False
        held.add(holder)
        day, count = self._peaks.get(tenant, ("", 0))
        today = self._today()
        if today != day or len(held) > count:
            self._peaks[tenant] = (today, len(held))
            self._on_peak(tenant, len(held))
        return True

    def give_back(self, tenant: str, holder: str) -> None:
        """Nothing happens when the holder has none."""
        held = self._held.get(tenant)
        if held is not None:
            held.discard(holder)
            if not held:
                del self._held[tenant]

    def pass_on(self, tenant: str, holder: str, to: str) -> None:
        """Another holder has the licence from now on; what that one held already is free."""
        held = self._held.get(tenant, set())
        if holder in held:
            held.discard(holder)
            held.add(to)

    def in_use(self, tenant: str) -> int:
        return len(self._held.get(tenant, ()))

    def all_in_use(self) -> int:
        return sum(map(len, self._held.values()))
