"""Every benchmark runs, small and short, so that none can rot. Only what must be zero is looked at."""

import json
import math
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from santral.bench import baseline
from santral.bench.cli import BENCHMARKS, main
from santral.bench.load import direct
from santral.bench.load.calls import CallLoad
from santral.bench.load.legs import Legs
from santral.bench.measure.result import median, quantile


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], need: Callable[[str], None]
) -> None:
    if name in ("relay", "calls"):
        need("gcc")  # for the bare relay
    status = main([name], json_file=tmp_path / "figures.json", quick=True)
    printed = capsys.readouterr().out
    assert status == 0, printed
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["results"][name]["good"] is True
    assert figures["results"][name]["rows"]
    assert name in printed


def test_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "no benchmark nothing" in capsys.readouterr().err


def test_load_counts_every_packet() -> None:
    window = direct.measure(8, 0.5, core=None)
    assert window.sent == window.arrived > 8 * 20
    assert (window.lost, window.duplicate, window.misrouted, window.foreign, window.legs_unheard) == (0, 0, 0, 0, 0)
    assert sum(count for _, count in window.histogram) == window.arrived


def test_load_sees_what_is_lost_and_what_goes_astray() -> None:
    with Legs(4) as legs:
        legs.start(0, legs.ports[1])
        legs.start(1, 9)  # nobody hears this one
        legs.start(2, legs.ports[0])  # and this one arrives at the wrong leg
        window = legs.window(0.5)
    assert window.legs == 3
    assert window.legs_unheard == 1
    assert window.lost > 20
    assert window.misrouted > 20


def test_bare_relay_swaps_legs(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("gcc")
    with Legs(4) as legs:
        relay = baseline.prepare(tmp_path, legs.ports, None)
        with relay.child as child:
            for leg in range(4):
                legs.start(leg, relay.first_port + leg)
            window = legs.window(0.5, child)
            legs.stop_all()
            assert child.stop() == 0
    assert window.lost == window.misrouted == 0
    assert window.cpu_us_per_packet > 0
    assert int(child.output().split()[-1]) >= window.sent


def test_bare_relay_refuses_nonsense(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("gcc")
    program = baseline.build(tmp_path)
    assert subprocess.run([program, "3", "20000"], capture_output=True, check=False).returncode == 2


@pytest.fixture
async def calls_to_ourselves() -> "Iterator[CallLoad]":
    with Legs(20) as legs:
        load = CallLoad(("127.0.0.1", 0), legs)
        load.server = "127.0.0.1", load.callee_port
        load.open()
        yield load
        load.close()


async def test_calls_are_set_up_and_ended(calls_to_ourselves: CallLoad) -> None:
    load = calls_to_ourselves
    await load.ramp(10, 200)
    assert load.in_progress == 10
    await load.hang_up_all(200)
    await load.run_short(10, 100, 0.05)
    figures = load.figures
    assert (figures.started, figures.answered, figures.ended, figures.callee_ended) == (20, 20, 20, 20)
    assert not figures.failed
    assert not figures.repeated_by_us
    assert not figures.repeated_to_us
    assert len(figures.setup_ms) == 20


def test_quantiles() -> None:
    assert quantile([5.0, 1.0, 3.0, 2.0, 4.0], 0.5) == 3.0
    assert quantile(list(map(float, range(1, 101))), 0.95) == 95.0
    assert quantile([1.0], 1.0) == 1.0
    assert math.isnan(quantile([], 0.5))
    assert median([1.0, 9.0, 2.0]) == 2.0
