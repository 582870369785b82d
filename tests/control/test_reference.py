"""docs/control.md is true: its reference comes from the tables, its example runs, its figures are the constants."""

import asyncio
import contextlib
import io
import re
from dataclasses import fields
from pathlib import Path

import pytest

from santral.engine.cdr.record import CallRecord, LegRecord
from santral.engine.control import answers, protocol, reference, server, shapes
from santral.engine.control.connection import MAX_REFUSED_LOGINS, Patience
from santral.engine.control.server import ControlServer
from santral.engine.events import EVENTS_KEPT

PAGE = Path(__file__).parents[2] / "docs/control.md"


def test_the_reference_is_what_the_tables_say() -> None:
    page = PAGE.read_text()
    assert reference.renewed(page) == page, "run: python -m santral.engine.control.reference docs/control.md"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no part between"):
        reference.renewed("# nothing")


def test_the_figures_are_the_constants() -> None:
    page = " ".join(PAGE.read_text().split())
    assert f"at most {protocol.MAX_FRAME // 1024} KiB" in page
    assert f"more than {protocol.MAX_ITEMS} elements" in page
    assert f"more than {shapes.MAX_TEXT} characters" in page
    assert f"takes {server.MAX_CONNECTIONS} connections, {server.MAX_STRANGERS} of them" in page
    assert f"remembers {answers.MAX_ANSWERS} keys" in page
    assert f"at most {answers.MAX_KEY} characters" in page
    assert f"keeps {EVENTS_KEPT:,} events" in page
    assert (Patience().login_s, Patience().reading_s, MAX_REFUSED_LOGINS) == (10, 5, 3)  # ten, five, three in words


def test_every_error_code_is_on_the_page() -> None:
    page = PAGE.read_text()
    source = "".join(file.read_text() for file in Path(server.__file__).parent.glob("*.py"))
    for code in re.findall(r'RequestError\(\s*"(\w+)"', source):
        assert f"| `{code}` |" in page


def test_every_field_of_a_record_is_on_the_page() -> None:
    part = PAGE.read_text().partition("## Call records")[2].partition("## Bounds")[0]
    of_calls, _, of_legs = part.partition("| fields of a leg |")
    for shape, text in ((CallRecord, of_calls), (LegRecord, of_legs)):
        rows = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
        assert set(re.findall(r"`(\w+)`", rows)) == {each.name for each in fields(shape)}


async def test_the_example_runs(server: ControlServer, socket_path: str) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example is not None
    assert len(example[1].splitlines()) == 10
    code = example[1].replace("data/control.sock", socket_path) + "\nengine.close()"
    shown = io.StringIO()

    def run() -> None:
        with contextlib.redirect_stdout(shown):
            exec(compile(code, "docs/control.md", "exec"), {})

    await asyncio.to_thread(run)
    assert shown.getvalue() == "n1 0\n"
