"""The demo's stage, for real peers around it."""

from collections.abc import Iterator

import pytest

from santral.bench.scene.stage import Stage, set_up


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One engine for the tests of a module, on ports of its own."""
    with set_up(tmp_path_factory.mktemp("stage")) as ready:
        yield ready
        assert ready.engine.is_alive, ready.engine.output()[-2000:]
