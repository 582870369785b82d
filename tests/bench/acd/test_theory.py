"""The formulas against published values and another way to compute them, and the distributor against the formulas."""

from math import exp, inf

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import betainc

from santral.bench.acd.simulate import SHORT, WITHIN, compare
from santral.bench.acd.theory import Case, erlang_b, expect, incomplete_beta, queue_law


def test_erlang_b_is_that_of_the_tables() -> None:
    assert erlang_b(10, 5.0) == pytest.approx(0.018385, abs=1e-6)
    assert erlang_b(1, 1.0) == 0.5
    assert 0 < erlang_b(500, 250.0) < 1e-40


def test_erlang_c_of_one_agent_is_the_single_server_queue() -> None:
    case = Case(1, 0.8, handling=10)
    found = expect(case, 5.0, SHORT)
    assert found.waits == pytest.approx(0.8)
    assert found.speed_of_answer == pytest.approx(0.8 / (0.1 - 0.08))
    assert found.service_level == pytest.approx(1 - 0.8 * exp(-0.02 * 5))


@pytest.mark.parametrize(("a", "b", "x"), [(0.5, 1, 0.3), (333.3, 400, 0.45), (1e-2, 7, 0.999), (5000.0, 1, 0.9999)])
def test_the_incomplete_beta_function_is_scipy_s(a: float, b: float, x: float) -> None:
    assert incomplete_beta(x, a, b) == pytest.approx(float(betainc(a, b, x)), abs=1e-10)


@pytest.mark.parametrize("case", [Case(3, 0.9, 100, 50), Case(20, 0.95, 180, 120), Case(2, 1.2, 60, 200)])
def test_erlang_a_is_that_of_the_chain_it_stands_for(case: Case) -> None:
    """A caller with k ahead is followed through the chain itself: service, others' impatience, own impatience."""
    law = queue_law(case)
    depth = len(law)
    service, give_up = case.agents / case.handling, 1.0 / case.patience
    served, gone, size = depth, depth + 1, depth + 2
    rates = np.zeros((size, size))
    for k in range(depth):
        onward = service + k * give_up
        rates[k, k - 1 if k else served] += onward
        rates[k, gone] += give_up
        rates[k, k] = -onward - give_up
    start = np.zeros(size)
    start[:depth] = law
    at_within, at_short = start @ expm(rates * 20.0), start @ expm(rates * 5.0)
    for_ever = start @ expm(rates * 1e5)
    found = expect(case, 20.0, 5.0)
    at_once = 1 - sum(law)
    assert found.waits == pytest.approx(sum(law))
    assert found.abandons == pytest.approx(for_ever[gone], rel=1e-6)
    assert found.service_level == pytest.approx((at_once + at_within[served]) / (1 - at_short[gone]), rel=1e-6)
    grid = np.linspace(0, 3000, 3001)
    step = expm(rates * (grid[1] - grid[0]))
    state, left = start.copy(), 0.0
    for _ in grid[1:]:
        after = state @ step
        left += (2 * for_ever[served] - state[served] - after[served]) / 2 * (grid[1] - grid[0])
        state = after
    assert found.speed_of_answer == pytest.approx(left / (at_once + for_ever[served]), rel=2e-3)


@pytest.mark.parametrize("patience", [inf, 120.0])
@pytest.mark.parametrize("agents", [5, 50, 500])
def test_formulas_are_sound_at_any_size(agents: int, patience: float) -> None:
    for occupancy in (0.5, 0.8, 0.98):
        case = Case(agents, occupancy, patience=patience)
        found = expect(case, WITHIN, SHORT)
        assert 0 < found.waits < 1
        assert 0 < found.service_level <= 1
        assert 0 <= found.abandons < 1
        # Little: those who wait, times how long, is the length of the queue
        length = sum(k * share for k, share in enumerate(queue_law(case)))
        if patience == inf:
            assert length == pytest.approx(case.arrivals * found.speed_of_answer, rel=1e-6)
        else:
            assert length == pytest.approx(case.arrivals * found.abandons * patience, rel=1e-6)


@pytest.mark.parametrize(
    "case", [Case(5, 0.8), Case(50, 0.9), Case(5, 0.9, patience=120.0), Case(50, 0.98, patience=120.0)]
)
def test_the_distributor_waits_as_long_as_theory_says(case: Case) -> None:
    """One seed each; the long version is `santral bench erlang`."""
    for one in compare(case, 15_000, 1, expect(case, WITHIN, SHORT)):
        assert one.is_inside, one
