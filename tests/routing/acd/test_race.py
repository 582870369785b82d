"""Everything in every order: no agent reserved twice, nobody lost, no agent stuck, first come first served.

Deterministic and short by default; SANTRAL_FUZZ_EXAMPLES sets the number of seeds, and looks for new ones.
"""

import os
import random

import pytest
from tests.routing.acd.world import World

EXAMPLES = int(os.environ.get("SANTRAL_FUZZ_EXAMPLES", "0"))
STEPS = 120
BLOCKS = 8
SEEDS_PER_BLOCK = 50


@pytest.mark.parametrize("block", range(BLOCKS))
def test_anything_may_happen(block: int) -> None:
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        World(seed).play(STEPS)


@pytest.mark.skipif(not EXAMPLES, reason="long; make fuzz runs it")
def test_fuzz_anything_may_happen() -> None:
    first = random.randrange(2**40)
    for seed in range(first, first + EXAMPLES):
        try:
            World(seed).play(STEPS)
        except Exception as problem:
            raise AssertionError(f"seed {seed}") from problem
