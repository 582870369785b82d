"""Real peers around the demo's stage. A program that is missing skips its tests, or fails them if CI_STRICT=1."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from santral.bench.scene.stage import Stage, set_up

PACKAGES = {"sipp": "sip-tester", "baresip": "baresip-core", "tshark": "tshark"}


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """Ask for a program: `need("sipp")`."""

    def ask(program: str) -> None:
        if shutil.which(program):
            return
        missing = f"{program} is not installed (apt install {PACKAGES.get(program, program)})"
        if os.environ.get("CI_STRICT") == "1":
            pytest.fail(missing)
        pytest.skip(missing)

    return ask


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One engine for the tests of a module, on ports of its own."""
    with set_up(tmp_path_factory.mktemp("stage")) as ready:
        yield ready
        assert ready.engine.is_alive, ready.engine.output()[-2000:]
