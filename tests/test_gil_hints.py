"""No compiled hot loop may need the GIL without saying so: Cython's own hints are errors here."""

import re
import runpy
from pathlib import Path

import pytest
from Cython.Build import cythonize
from setuptools import Extension

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("codecs", "engine", "recorder", "routing", "bench")
SETUP = runpy.run_path(str(ROOT / "setup.py"), run_name="rows")
HINT = re.compile(r"performance hint: .*", re.IGNORECASE)


def hints(sources: list[Extension], folder: Path, capture: pytest.CaptureFixture[str]) -> list[str]:
    """Compile afresh (cached builds print no hints) and return what Cython has to say."""
    cythonize(
        sources,
        include_path=[str(ROOT / "src")],
        build_dir=str(folder),
        compiler_directives=SETUP["DIRECTIVES"],
        force=True,
        quiet=True,
    )
    output = capture.readouterr()
    return HINT.findall(output.out + output.err)


def test_every_compiled_module_has_its_row() -> None:
    there = {
        str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
        for r in ROOMS
        for path in (ROOT / r).rglob("*.pyx")
    }
    assert there == set(SETUP["MODULES"])
    assert sorted(SETUP["MODULES"]) == SETUP["MODULES"]


@pytest.mark.parametrize("module", SETUP["MODULES"])
def test_no_hot_loop_needs_the_gil(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert hints([SETUP["extension"](module)], tmp_path, capfd) == []


def test_the_hints_are_still_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A function that checks for exceptions without the GIL: if this one passes silently, so does everything."""
    monkeypatch.chdir(tmp_path)
    Path("slow.pyx").write_text(
        "cdef void careless() nogil:\n    pass\n\ndef run():\n    with nogil:\n        careless()\n"
    )
    assert hints([Extension("slow", ["slow.pyx"])], tmp_path, capfd)
