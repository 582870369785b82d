"""The interpreter's objects in huge pages: taken, given back, and not mixed up with what was there before."""

import subprocess
import sys
from pathlib import Path

PIECE = 2 * 2**20

PROGRAM = """
import gc
import sys

before = [(n, str(n)) for n in range(200_000)]  # in arenas of the interpreter's own
from santral.engine.memory import arenas

arenas.use()
arenas.use()
most, rounds = 0, []
for _ in range(3):
    kept = [(n, str(n), [n]) for n in range(300_000)]
    most = max(most, arenas.held())
    assert all(a == n and b == str(n) and c == [n] for n, (a, b, c) in enumerate(kept))
    kept = None
    gc.collect()
    rounds.append(arenas.held())
assert all(a == n and b == str(n) for n, (a, b) in enumerate(before))
del before
gc.collect()
after = [(n, str(n)) for n in range(400_000)]
assert all(a == n and b == str(n) for n, (a, b) in enumerate(after))
print(most, *rounds)
"""


def test_objects_live_in_pieces_that_go_back_to_the_system() -> None:
    root = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    most, *rounds = map(int, done.stdout.split())
    assert most > 20 * PIECE
    assert all(held < most / 4 for held in rounds), done.stdout
    assert all(held % PIECE == 0 for held in rounds)
