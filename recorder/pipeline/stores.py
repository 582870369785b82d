"""The stores of the settings, opened once each; and which of them had better be left alone for a while."""

import random
import threading
import time
from collections.abc import Mapping

from santral.recorder.pipeline.settings import RetrySettings
from santral.recorder.storage import Store, StoreSettings, open_store


class Stores:
    """Thread-safe. A store is used by one thread at a time only where it says so itself (fsspec's may be by many)."""

    def __init__(self, settings: Mapping[str, StoreSettings], retry: RetrySettings) -> None:
        self._settings = settings
        self._retry = retry
        self._lock = threading.Lock()
        self._open: dict[str, Store] = {}
        self._failures: dict[str, tuple[int, float]] = {}  # in a row, and monotonic time until which it rests

    def get(self, name: str) -> Store:
        """Raises KeyError for a store that the settings do not have (any more)."""
        with self._lock:
            if name not in self._open:
                self._open[name] = open_store(name, self._settings[name])
            return self._open[name]

    def rests_s(self, name: str) -> float:
        """How long it should not be asked; 0: ask it."""
        with self._lock:
            return max(0.0, self._failures.get(name, (0, 0.0))[1] - time.monotonic())

    def failed(self, name: str) -> None:
        """It did not answer as it should, after all tries: leave it alone, longer each time."""
        with self._lock:
            count = self._failures.get(name, (0, 0.0))[0]
            self._failures[name] = (count + 1, time.monotonic() + wait_s(self._retry, count))

    def worked(self, name: str) -> None:
        with self._lock:
            self._failures.pop(name, None)

    def close(self) -> None:
        with self._lock:
            for each in self._open.values():
                each.close()
            self._open.clear()


def wait_s(retry: RetrySettings, failures: int) -> float:
    """How long to wait after so many failures before this one: doubling, and spread over time."""
    longest = min(retry.most_s, retry.first_s * 2.0 ** min(failures, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
