"""What queueing theory says of a call centre: Erlang C (nobody gives up) and Erlang A (everybody would, in the end).

Arrivals are Poisson, service and patience exponential, agents all alike, first come first served (Erlang 1917; Palm
1957; Mandelbaum and Zeltyn, "Service engineering in action: the Palm/Erlang-A queue", 2007). Everything is a sum of
terms between 0 and 1 computed from their ratios or logarithms: sound at any number of agents.
"""

from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p
from typing import Final

NEGLIGIBLE: Final = 1e-16  # of a probability: longer queues than those are left out
FRACTION_STEPS: Final = 10_000
TINY: Final = 1e-300


@dataclass(frozen=True, slots=True)
class Case:
    """A call centre. Times are seconds; patience `inf` is Erlang C."""

    agents: int
    occupancy: float  # offered load per agent: arrival rate times handling time over agents
    handling: float = 180.0  # mean
    patience: float = inf  # mean

    @property
    def arrivals(self) -> float:
        """Per second."""
        return self.occupancy * self.agents / self.handling


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of a case, by the definitions of the statistics."""

    waits: float  # the share that waits at all
    speed_of_answer: float  # mean wait of the answered
    service_level: float  # answered within / (offered - abandoned within `short`)
    abandons: float  # the share that gives up


def expect(case: Case, within: float, short: float) -> Expected:
    return erlang_c(case, within) if case.patience == inf else erlang_a(case, within, short)


def erlang_b(agents: int, load: float) -> float:
    """The probability that all agents are busy if nobody waits, by the recursion in the number of agents."""
    blocked = 1.0
    for k in range(1, agents + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(case: Case, within: float) -> Expected:
    """Waits are exponential for those who wait at all, with the rate at which agents are faster than callers."""
    blocked = erlang_b(case.agents, case.occupancy * case.agents)
    waits = blocked / (1.0 - case.occupancy * (1.0 - blocked))
    rate = case.agents / case.handling - case.arrivals
    return Expected(waits, waits / rate, 1.0 - waits * exp(-rate * within), 0.0)


def queue_law(case: Case) -> list[float]:
    """The probability of k waiting and all agents busy, k = 0, 1, …: what an arrival finds if it has to wait."""
    service, give_up = case.agents / case.handling, 0.0 if case.patience == inf else 1.0 / case.patience
    terms, term, k = [1.0], 1.0, 0
    while term > NEGLIGIBLE * terms[0] or case.arrivals > service + k * give_up:
        k += 1
        term *= case.arrivals / (service + k * give_up)
        terms.append(term)
    # p(n) relative to everybody busy and nobody waiting is 1; all states with an idle agent together are 1 / B - 1
    idle = 1.0 / erlang_b(case.agents, case.occupancy * case.agents) - 1.0
    whole = idle + sum(terms)
    return [each / whole for each in terms]


def erlang_a(case: Case, within: float, short: float) -> Expected:
    """Sums over what an arrival finds.

    With k ahead the wait that is offered is a sum of exponentials with rates c, c + t, …, c + k t (c: all agents, t:
    one caller's impatience), so exp(-t wait) is distributed as Beta(c / t, k + 1), and every figure is a moment of it.
    """
    alpha = case.agents / case.handling * case.patience
    at_within, at_short = exp(-within / case.patience), exp(-short / case.patience)
    served = waited = in_time = gone_short = waits = harmonic = 0.0
    for k, found in enumerate(queue_law(case)):
        harmonic += 1.0 / (alpha + k + 1)
        lasts = alpha / (alpha + k + 1)  # E exp(-t wait): the chance to be there still
        waits += found
        served += found * lasts
        waited += found * lasts * harmonic * case.patience
        beta = k + 1.0
        in_time += found * lasts * (1.0 - incomplete_beta(at_within, alpha + 1.0, beta))
        answered_short = lasts * (1.0 - incomplete_beta(at_short, alpha + 1.0, beta))
        gone_short += found * (1.0 - at_short * incomplete_beta(at_short, alpha, beta) - answered_short)
    at_once = 1.0 - waits
    answered = at_once + served
    return Expected(waits, waited / answered, (at_once + in_time) / (1.0 - gone_short), waits - served)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - incomplete_beta(1.0 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))  # modified Lentz
    fraction = d
    for m in range(1, FRACTION_STEPS):
        for top in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _not_zero(1.0 + top * d)
            c = _not_zero(1.0 + top / c)
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-15:
            return min(1.0, front * fraction)
    raise ArithmeticError(f"I_{x}({a}, {b}) does not converge")


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
