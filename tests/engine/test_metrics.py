"""Figures as Prometheus reads them."""

import asyncio
from collections.abc import Iterable

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from santral.engine.metrics import Histogram, MetricsServer, Sample


def figures() -> Iterable[Sample | Histogram]:
    yield Sample("calls", 3, "Calls in progress.")
    yield Sample("calls_refused", 2, "Calls refused.", "counter", {"reason": "max_calls"})
    yield Sample("calls_refused", 5, "Calls refused.", "counter", {"reason": 'odd "name"\n'})
    setup = Histogram("setup_seconds", "INVITE to 200.", (0.1, 0.01))
    for value in (0.01, 0.05, 5):
        setup.observe(value)
    yield setup


def broken() -> Iterable[Sample]:
    yield Sample("half", 1)
    raise RuntimeError("no figures")


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_figures_are_served() -> None:
    server = MetricsServer("127.0.0.1", 0, [figures])
    await server.start()
    host, port = server.address
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            found = read(await answer.text())
        async with session.get(f"http://{host}:{port}/other") as answer:
            assert answer.status == 404
    await server.close()
    assert found["santral_calls", ()] == 3
    assert found["santral_calls_refused_total", (("reason", "max_calls"),)] == 2
    assert found["santral_calls_refused_total", (("reason", 'odd "name"\n'),)] == 5
    assert found["santral_setup_seconds_bucket", (("le", "0.01"),)] == 1
    assert found["santral_setup_seconds_bucket", (("le", "0.1"),)] == 2
    assert found["santral_setup_seconds_bucket", (("le", "+Inf"),)] == 3
    assert found["santral_setup_seconds_count", ()] == 3
    assert found["santral_process_open_fds", ()] > 0
    assert found["santral_metrics_failures_total", ()] == 0


def test_a_provider_that_fails_hides_no_other() -> None:
    found = read(MetricsServer("127.0.0.1", 0, [broken, figures]).render().decode())
    assert found["santral_calls", ()] == 3
    assert found["santral_metrics_failures_total", ()] == 1
    assert ("santral_half", ()) not in found


async def test_a_taken_address_is_an_oserror() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match="address"):
        await MetricsServer("127.0.0.1", port, []).start()
    server.close()
