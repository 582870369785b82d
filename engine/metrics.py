"""Prometheus text at /metrics: figures are read from their owners when somebody asks, never pushed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure. `name` is without the `santral_` prefix; counters are given without `_total`."""

    name: str
    value: float
    help: str = ""
    kind: Literal["counter", "gauge"] = "gauge"
    labels: Mapping[str, str] = field(default_factory=dict)


Provider = Callable[[], Iterable[Sample]]


class MetricsServer:
    """Serves the figures of its providers."""

    def __init__(self, host: str, port: int, providers: Iterable[Provider]) -> None: ...

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens."""
        return ("", 0)

    async def start(self) -> None:
        """Listen; OSError when the address is taken."""

    async def close(self) -> None:
        """Stop."""
