"""docs/configuration.md says what the models say, and its examples work."""

import re
from pathlib import Path

import pytest

from santral.engine.config import loads
from santral.engine.config.model import TABLES
from santral.engine.config.reference import default_of, renew, words_of

PAGE = Path(__file__).parents[2] / "docs/configuration.md"


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text()
    assert page == renew(page), "run: python -m santral.engine.config.reference docs/configuration.md"


@pytest.mark.parametrize("name", [name for name in TABLES if name])
def test_every_key_says_what_it_is(name: str) -> None:
    for key, field in TABLES[name].model_fields.items():
        assert field.description, f"{name}.{key}"
        assert field.description.endswith("."), f"{name}.{key}"
        assert words_of(field)
        assert default_of(field)


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_the_examples_are_configurations(example: str) -> None:
    assert loads(example).warnings == ()


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        renew("# nothing")
