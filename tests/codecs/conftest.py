"""Reference material and how alike two pieces of speech are."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The reference corpus; skips without."""
    if "SANTRAL_CORPUS" not in os.environ:
        pytest.skip("SANTRAL_CORPUS names no reference corpus")
    return Path(os.environ["SANTRAL_CORPUS"])
