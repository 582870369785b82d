"""Prometheus text at /metrics: figures are read from their owners when somebody asks, never pushed.

A registry of our own, so that two engines in one process do not meet. aiohttp is loaded only when metrics are wanted.
"""

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from santral.engine import log

if TYPE_CHECKING:
    from aiohttp import web

PREFIX: Final = "santral_"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure. `name` is without the `santral_` prefix; a counter's is without `_total`."""

    name: str
    value: float
    help: str = ""
    kind: Literal["counter", "gauge"] = "gauge"
    labels: Mapping[str, str] = field(default_factory=dict)


class Histogram:
    """Counts values by size, for instance seconds from INVITE to 200. One thread."""

    def __init__(self, name: str, help: str, bounds: Sequence[float]) -> None:  # noqa: A002 - Prometheus' own word
        self.name: Final = name
        self.help: Final = help
        self.bounds: Final = tuple(sorted(bounds))
        self.total = 0.0
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return how many values were at most each bound, as Prometheus wants them."""
        names = [*(repr(float(bound)) for bound in self.bounds), "+Inf"]
        return list(zip(names, itertools.accumulate(map(float, self._counts)), strict=True))


Provider = Callable[[], Iterable[Sample | Histogram]]


class Figures(Collector):
    """Asks every provider at each scrape. One that fails is left out, logged and counted; the others are shown."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._providers = tuple(providers)
        self._failures = 0

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for provider in self._providers:
            try:
                for figure in list(provider()):
                    add(families, figure)
            except Exception:
                self._failures += 1
                log.get("metrics").exception("figures cannot be read", provider=getattr(provider, "__qualname__", "?"))
        add(families, Sample("metrics_failures", self._failures, "Providers that failed while being read.", "counter"))
        return iter(families.values())

    def describe(self) -> list[Metric]:
        """Nothing: names are known only when asked, and need no check against each other."""
        return []


def add(families: dict[str, Metric], figure: Sample | Histogram) -> None:
    """Put a figure into its family, which is made with the first one of its name."""
    name = PREFIX + figure.name
    if isinstance(figure, Histogram):
        families[name] = HistogramMetricFamily(name, figure.help, buckets=figure.buckets(), sum_value=figure.total)
        return
    labels = tuple(figure.labels)
    family = families.get(name)
    if family is None:
        kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
        family = families[name] = kind(name, figure.help, labels=labels)
    if isinstance(family, CounterMetricFamily | GaugeMetricFamily):
        family.add_metric([figure.labels[label] for label in labels], figure.value)


class MetricsServer:
    """Serves the figures of its providers, and those of the process, over HTTP."""

    def __init__(self, host: str, port: int, providers: Iterable[Provider]) -> None:
        self._host = host
        self._port = port
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Figures(providers))
        ProcessCollector(namespace=PREFIX.rstrip("_"), registry=self._registry)
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens; OSError before `start`."""
        if self._runner is None or not self._runner.addresses:
            raise OSError("the metrics server does not listen")
        host, port = self._runner.addresses[0][:2]
        return str(host), int(port)

    def render(self) -> bytes:
        """Return the figures as Prometheus text."""
        return generate_latest(self._registry)

    async def start(self) -> None:
        """Listen; OSError when the address is taken."""
        from aiohttp import web  # noqa: PLC0415 - 15 MiB that an engine without metrics does not need

        async def show(_request: web.Request) -> web.Response:
            return web.Response(body=self.render(), headers={"Content-Type": CONTENT_TYPE})

        app = web.Application()
        app.router.add_get("/metrics", show)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
