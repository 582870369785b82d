"""The documents are true: their configurations load, their commands and files exist, their links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from santral.engine.cli.commands import app, run_app
from santral.engine.config import loads

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "engine").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs/decisions").iterdir())
ROOMS = "bench|codecs|engine|recorder|routing|sip|src|tests|docs|examples"
MAKE_TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(text: str, *languages: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [content for language, content in fenced if language in languages]


def commands(text: str) -> list[list[str]]:
    """The words of each command shown in a page, without its comment: in code blocks and in `code`."""
    shown = [line for block in blocks(text, "", "sh") for line in block.splitlines()]
    shown += [line[4:] for line in text.splitlines() if line.startswith("    ")]
    shown += re.findall(r"`((?:make|santral) [^`]+)`", text)
    words = [
        shlex.split(line, comments=True) for line in shown if re.match(r"(\.venv/bin/santral|santral|make) ", line)
    ]
    return [[Path(each[0]).name, *each[1:]] for each in words]


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# ---- configurations ----


def test_the_readme_s_configuration_is_the_example() -> None:
    (block,) = blocks(README, "toml")
    assert block == (ROOT / "examples/two-trunks.toml").read_text()


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.toml")), ids=named)
def test_the_examples_are_configurations(file: Path) -> None:
    assert loads(file.read_text()).warnings == ()


def test_the_readme_s_first_commands_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "santral.toml").write_text(blocks(README, "toml")[0])
    monkeypatch.chdir(tmp_path)
    offline = [words for words in commands(README) if words[:2] in (["santral", "check"], ["santral", "explain"])]
    assert len(offline) == 2
    for words in offline:
        assert run_app(words[1:]) == 0, words
    said = capsys.readouterr().out
    assert "ok" in said
    assert "carrier" in said


# ---- commands ----


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_exists(page: Path) -> None:
    known = typer.main.get_group(app).commands
    for program, *words in commands(page.read_text()):
        if program == "make":
            assert {word for word in words if "=" not in word} <= MAKE_TARGETS
        elif not words[0].startswith(("-", "[")) and words[0] != "…":
            verbs = words[0].split("|")
            assert set(verbs) <= set(known), words
            options = {name for verb in verbs for param in known[verb].params for name in param.opts} | {"--help"}
            assert {word.split("=")[0] for word in words if word.startswith("-")} <= options, words


def test_the_readme_names_every_verb_of_the_makefile() -> None:
    assert {"demo", "test", "serve", "build", "lint", "bench", "fuzz"} <= MAKE_TARGETS
    assert all(f"make {verb}" in README for verb in ("demo", "test", "serve", "lint", "bench", "fuzz"))


def test_the_readme_s_packages_are_those_of_the_preflight() -> None:
    (packages,) = re.findall(r"apt-get install ([^`]+)`", README)
    source = (ROOT / ".ci/preflight.py").read_text()
    assert all(f'"{package}"' in source for package in packages.split())
    assert packages in (ROOT / ".ci/run").read_text()


# ---- files ----


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_it_names_exists(page: Path) -> None:
    for path in re.findall(rf"`((?:{ROOMS})/[\w./-]*)`", page.read_text()):
        assert (ROOT / path).exists(), path


# ---- decisions ----


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:3]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=named)
def test_a_decision_has_context_choice_and_price(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Choice", "Price"]
    assert text.startswith("# ")
    assert len(text.splitlines()) <= 18
    assert f"(decisions/{path.name})" in (ROOT / "docs/architecture.md").read_text()


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", README))
    assert {named(page) for page in (ROOT / "docs").glob("*.md")} | {"CHANGELOG.md", "THREATS.md"} <= linked
