"""What a test may lack: a program or a resource. It skips then, or fails if CI_STRICT=1, so that CI runs everything."""

import os
import shutil
from collections.abc import Callable
from typing import NoReturn

import pytest

PACKAGES = {"sipp": "sip-tester", "baresip": "baresip-core"}


@pytest.fixture(scope="session")
def lacking() -> Callable[[str], NoReturn]:
    """Give a test up for something that is not here: `lacking("no descriptors")`."""

    def give_up(reason: str) -> NoReturn:
        if os.environ.get("CI_STRICT") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return give_up


@pytest.fixture(scope="session")
def need(lacking: Callable[[str], NoReturn]) -> Callable[[str], None]:
    """Ask for a program: `need("sipp")`."""

    def ask(program: str) -> None:
        if not shutil.which(program):
            lacking(f"{program} is not installed (apt install {PACKAGES.get(program, program)})")

    return ask
