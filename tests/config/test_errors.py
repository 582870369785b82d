"""Every way to get a configuration wrong, with the key path and the line it is blamed on.

The cases are texts in `wrong/`, whose wrong lines end in `#! PATH: WORDS`; the problems found must be exactly those.
"""

from pathlib import Path
from typing import Any

import pytest

from santral.engine.config import ConfigError, Problem, loads

TENANTS = """
[[tenant]]
name = "acme"
[[tenant]]
name = "globex"
"""

TRUNKS = f"""{TENANTS}
[[trunk]]
name = "carrier"
tenant = "acme"
targets = ["sip:127.0.0.1:5090"]
accept_from = ["127.0.0.1/32:5080"]
[[trunk]]
name = "pbx"
tenant = "acme"
targets = ["sip:127.0.0.1:5091"]
accept_from = ["127.0.0.2"]
[[trunk]]
name = "others"
tenant = "globex"
targets = ["sip:127.0.0.1:5092"]
accept_from = ["127.0.0.3"]
[[trunk]]
name = "outbound"
tenant = "acme"
targets = ["sip:127.0.0.1:5093"]
[[trunk]]
name = "inbound"
tenant = "acme"
accept_from = ["127.0.0.4"]
"""

USERS = """
[[tenant]]
name = "acme"
domain = "acme.example"
country = "TR"
[[tenant]]
name = "globex"
"""
AROUND_USERS = """
[[trunk]]
name = "carrier"
tenant = "acme"
accept_from = ["127.0.0.1/32:5080"]
[[number]]
number = "+903125550100"
tenant = "acme"
route = "in"
[[route]]
name = "in"
from_trunk = "carrier"
destinations = [{ echo = true }]
"""

SYNTAX = {
    "no value": "[sip]\nmax_calls =",
    "key twice": "[sip]\nlisten = []\nlisten = []",
    "open string": '[sip]\ndomain = "a',
    "table twice": "[sip]\n[sip]",
    "no toml": "hello",
}

WRONG = Path(__file__).parent / "wrong"


def cases(name: str) -> list[Any]:
    """The cases of one file: each begins at a line `=== NAME`; what stands before the first explains the file."""
    _, *parts = (WRONG / name).read_text().split("\n=== ")
    return [pytest.param(text, id=title) for title, _, text in (part.partition("\n") for part in parts)]


def problems(text: str, folder: Path) -> tuple[Problem, ...]:
    (folder / "long").write_text("x" * 5000)
    (folder / "binary").write_bytes(b"\xff\xfe")
    try:
        loads(text, folder=folder, environ={"EMPTY": ""})
    except ConfigError as refusal:
        return tuple(refusal.problems)
    return ()


def expected(text: str) -> list[tuple[int, str, str]]:
    marks = []
    for number, line in enumerate(text.splitlines(), start=1):
        for mark in line.split("#! ")[1:]:
            path, _, words = mark.strip().partition(": ")
            marks.append((number, path, words))
    return marks


def check(text: str, folder: Path) -> None:
    found, wanted = problems(text, folder), expected(text)
    assert sorted((p.line, p.path) for p in found) == sorted((line, path) for line, path, _ in wanted), "\n".join(
        map(str, found)
    )
    for line, path, words in wanted:
        said = [p.message for p in found if (p.line, p.path) == (line, path)]
        assert any(words in message for message in said), said


@pytest.mark.parametrize("text", cases("node.txt"))
def test_the_node(text: str, tmp_path: Path) -> None:
    check(text + (TENANTS if "tenant = 'acme'" in text or "[[control" in text else ""), tmp_path)


@pytest.mark.parametrize("text", cases("trunks.txt"))
def test_trunks(text: str, tmp_path: Path) -> None:
    check(text + TENANTS, tmp_path)


@pytest.mark.parametrize("text", cases("routes.txt"))
def test_routes(text: str, tmp_path: Path) -> None:
    check(TRUNKS + text, tmp_path)


@pytest.mark.parametrize("text", cases("queues.txt"))
def test_queues(text: str, tmp_path: Path) -> None:
    check(TRUNKS + text, tmp_path)


@pytest.mark.parametrize("text", cases("users.txt"))
def test_users(text: str, tmp_path: Path) -> None:
    check(USERS + AROUND_USERS + text, tmp_path)


@pytest.mark.parametrize("text", SYNTAX.values(), ids=SYNTAX.keys())
def test_syntax_errors_are_one_problem_with_its_line(text: str, tmp_path: Path) -> None:
    (problem,) = problems(text, tmp_path)
    assert problem.line == text.count("\n") + 1
    assert "\n" not in problem.message
    assert "(at " not in problem.message


def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path) -> None:
    (problem,) = problems("a = " + "[" * 100_000, tmp_path)
    assert "nested too deeply" in problem.message
    for depth in range(50, 1000, 50):
        assert len(problems("a = " + "[" * depth + "]" * depth, tmp_path)) == 1


def test_messages_are_one_line_whatever_the_file_holds(tmp_path: Path) -> None:
    (problem,) = problems('[sip]\ndomain = "a\\r\\nb\\u001b[31m' + "x" * 1000 + '"', tmp_path)
    assert problem.message.isprintable()
    assert len(problem.message) <= 400


def test_secrets_are_in_no_message(tmp_path: Path) -> None:
    text = "[[control.token]]\nname = 3\nscopes = ['admin']\nsecret = 'hunter2'\nsecret_env = 'EMPTY'"
    assert "hunter2" not in "".join(map(str, problems(text, tmp_path)))
    text = "[[control.token]]\nname = 3\nscopes = ['admin']\nsecret = 'hunter2'"
    assert "hunter2" not in "".join(map(str, problems(text, tmp_path)))


def test_the_error_itself_reads_well(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        loads("[sip]\nmax_calls = 0\nlisten = 1\n", folder=tmp_path, source="santral.toml")
    assert str(refusal.value) == (
        "santral.toml: line 2: sip.max_calls: must be at least 1\nsantral.toml: line 3: sip.listen: must be a list"
    )
