"""The distributor is compiled, and what it searches in is written for the compiler. Both are compared with plain forms:
the same sources as Python reads them, on a reference of `index/` that looks at everybody. The same chances give the
same event log, byte for byte.

Without a compiled form nothing is compared.
"""

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = Path(__file__).with_name("reference")
ROOM = "santral.routing"
INDEX = f"{ROOM}.acd.index."
WORLD = "tests.routing.acd.world"
BLOCKS = 5
SEEDS = 40  # a block
STEPS = 120


class PlainSources(MetaPathFinder):
    """Finds modules of the room as their .py, whatever stands beside it; those that have none as the reference."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.startswith(INDEX):
            return spec_from_file_location(name, REFERENCE / f"{name.removeprefix(INDEX)}.py")
        if name != ROOM and not name.startswith(f"{ROOM}."):
            return None
        file = ROOT.joinpath(*name.split(".")[1:])
        if file.is_dir():
            inside = [str(file)]
            return spec_from_file_location(name, file / "__init__.py", submodule_search_locations=inside)
        return spec_from_file_location(name, file.with_suffix(".py"))


def ours() -> list[str]:
    return [name for name in sys.modules if name in {ROOM, WORLD} or name.startswith(f"{ROOM}.")]


@contextmanager
def plain_sources() -> Iterator[None]:
    """Imports of the room, and of the played world, give fresh plain modules inside, afterwards the usual ones."""
    import_module(WORLD)
    places = ((sys.modules["santral"], "routing"), (sys.modules[WORLD.rpartition(".")[0]], "world"))
    kept = [(package, name, getattr(package, name)) for package, name in places]
    usual = {name: sys.modules.pop(name) for name in ours()}
    finder = PlainSources()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in ours():
            del sys.modules[name]
        sys.modules.update(usual)
        for package, name, module in kept:
            setattr(package, name, module)


@pytest.fixture(scope="module")
def compiled(lacking: Callable[[str], NoReturn]) -> SimpleNamespace:
    if str(import_module("santral.routing.acd.distributor").__file__).endswith(".py"):
        lacking("nothing is compiled here")
    return SimpleNamespace(world=import_module(WORLD), order=import_module(f"{INDEX}order").Order)


@pytest.fixture(scope="module")
def plain(compiled: SimpleNamespace) -> SimpleNamespace:
    with plain_sources():
        found = SimpleNamespace(world=import_module(WORLD), order=import_module(f"{INDEX}order").Order)
        files = {str(sys.modules[name].__file__) for name in ours()}
    assert found.world is not compiled.world
    assert all(file.endswith(".py") for file in files)
    assert {str(REFERENCE / f"{name}.py") for name in ("order", "match", "items")} <= files
    return found


def told(of: SimpleNamespace, seed: int) -> bytes:
    """What a day played at random leaves: each line of its log, and the state at its end."""
    world = of.world.World(seed)
    world.play(STEPS)
    log = of.world.log
    lines = [json.dumps([log.name_of(event), event.at, log.fields_of(event)], default=str) for event in world.log]
    lines.append(json.dumps(world.d.snapshot(world.now), default=str))
    return "\n".join(lines).encode()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_both_forms_leave_the_same_log(compiled: SimpleNamespace, plain: SimpleNamespace, block: int) -> None:
    lines = 0
    for seed in range(block * SEEDS, (block + 1) * SEEDS):
        one, other = told(compiled, seed), told(plain, seed)
        lines += len(one.splitlines())
        assert one.splitlines() == other.splitlines(), f"seed {seed}"
    assert lines > SEEDS * STEPS / 4, "nothing happened in these days"


@pytest.mark.parametrize("seed", range(5))
def test_an_order_of_many_is_a_sorted_list(compiled: SimpleNamespace, plain: SimpleNamespace, seed: int) -> None:
    """Long enough for the tree to grow and shrink deeply, which queues of a played day are not."""
    chance, things = random.Random(seed), [object() for _ in range(3000)]
    one, other, there = compiled.order(), plain.order(), []
    for tie in range(len(things)):
        key = (float(chance.randint(0, 40)), float(chance.randint(0, 3)), 0.0, tie)
        one.add(*key, things[tie])
        other.add(*key, things[tie])
        there.append(key)
        while there and chance.random() < 0.45:
            gone = there.pop(chance.randrange(len(there)))
            assert one.discard(*gone) is other.discard(*gone) is True
            assert one.discard(*gone) is other.discard(*gone) is False
        probe = (float(chance.randint(0, 40)), 1.0, 0.0, tie)
        assert (len(one), one.first(), one.first_key()) == (len(other), other.first(), other.first_key())
        assert one.before(*probe) == other.before(*probe)
        if there:
            index = chance.randrange(len(there))
            assert one.at(index) is other.at(index)
    for order in (one, other):
        with pytest.raises(IndexError):
            order.at(len(there))
