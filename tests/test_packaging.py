"""What leaves the house: the sdist, the wheel made from it, what is installed, and the set-up before all that."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("bench", "codecs", "engine", "recorder", "routing", "sip")
BESIDE = ("LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py")
CARRIED = {".py", ".pyx", ".pxd", ".pyi", ".c", ".mako", ".wav", ".flac"}  # what a room consists of when it travels
BUILD_S = 600  # building takes a minute or two; a loaded machine may need far longer
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMPORTED_AS = {  # distribution -> import name, where they differ
    "annotated-types": "annotated_types",
    "dnspython": "dns",
    "google-re2": "re2",
    "prometheus-client": "prometheus_client",
}
NEVER_IMPORTED = {"tzdata"}  # read by the standard library's zoneinfo


def carried() -> set[str]:
    """Files of ours that a distribution must hold, relative to the folder of rooms."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*"))
    return {str(path.relative_to(ROOT)) for path in files if path.suffix in CARRIED and "__pycache__" not in path.parts}


def run_hook(name: str, source: Path, target: Path) -> Path:
    """Call a hook of our build backend in `source`, as pip does; returns the file it made."""
    code = f"import sys; from setuptools import build_meta; print(build_meta.{name}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return target / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from a copy without anything built in place: as from a bare clone."""
    copy = tmp_path_factory.mktemp("clone")
    leftovers = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info")
    for folder in (*ROOMS, "src"):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=leftovers)
    for file in BESIDE:
        shutil.copy(ROOT / file, copy)
    return run_hook("build_sdist", copy, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12's Python 3.11.2 has none yet
        archive.extractall(unpacked)
    (source,) = unpacked.iterdir()
    return run_hook("build_wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, as `pip install --target` leaves it."""
    target = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def outside(folder: Path, cwd: Path, *words: str) -> str:
    """Run Python with `folder` and the dependencies on its path, but without our checkout (-S: no .pth files)."""
    path = os.pathsep.join([str(folder), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    done = subprocess.run(
        [sys.executable, "-S", *words],
        cwd=cwd, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(BUILD_S)
def test_the_sdist_holds_every_source_and_no_product(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {f"src/santral/{name}" for name in carried()} <= names
    assert set(BESIDE) <= names
    assert not [name for name in names if name.endswith((".so", ".pyc")) or name.startswith(("tests/", "build/"))]


@pytest.mark.timeout(BUILD_S)
def test_the_wheel_from_the_sdist_holds_every_source_and_every_compiled_module(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    compiled = {f"santral/{module.replace('.', '/')}{suffix}" for module in compiled_modules()}
    assert names == {f"santral/{name}" for name in carried()} | compiled


@pytest.mark.timeout(BUILD_S)
def test_the_wheel_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    santral = ("-m", "santral.engine.cli")
    version = PYPROJECT["project"]["version"]
    assert outside(installed, tmp_path, *santral, "--version") == f"santral {version}\n"
    assert "ok" in outside(installed, tmp_path, *santral, "check")
    for module in ("santral.codecs.g711", "santral.engine.media.core.thread"):
        file = outside(installed, tmp_path, "-c", f"import {module} as module; print(module.__file__)")
        assert Path(file.strip()).is_relative_to(installed)


@pytest.mark.timeout(BUILD_S)
def test_the_wheel_brings_its_migrations_and_sounds(installed: Path, tmp_path: Path) -> None:
    code = """
import asyncio
from pathlib import Path
import santral.engine.sounds as sounds
from santral.engine.cdr.store import CdrStore
async def main():
    store = CdrStore("sqlite:///" + str(Path("calls.db").resolve()), node="n")
    await store.start()
    await store.close()
asyncio.run(main())
print(*sorted(path.name for path in Path(sounds.__file__).parent.glob("*.wav")))
"""
    sounds = outside(installed, tmp_path, "-c", code).split()
    assert (tmp_path / "calls.db").is_file()
    assert sounds == sorted(path.name for path in (ROOT / "engine/sounds").glob("*.wav"))


def test_the_editable_install_works_outside_the_checkout(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    code = "import santral.codecs.g711 as g, santral.engine.cli; print(g.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).resolve().is_relative_to(ROOT)


def rows(of: str) -> list[str]:
    """The rows of setup.py, read without running it: MODULES (Cython) or WARM (plain Python)."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == of:
            return list(ast.literal_eval(node.value))
    raise AssertionError(f"setup.py has no {of}")


def compiled_modules() -> list[str]:
    return rows("MODULES") + rows("WARM")


def test_every_cython_source_has_its_row() -> None:
    sources = {name.removesuffix(".pyx").replace("/", ".") for name in carried() if name.endswith(".pyx")}
    assert set(rows("MODULES")) == sources
    assert rows("MODULES") == sorted(rows("MODULES"))


def test_every_compiled_python_module_follows_its_source() -> None:
    """make builds again what was edited: its list and setup.py's are one."""
    warm = {module.replace(".", "/") + ".py" for module in rows("WARM")}
    assert rows("WARM") == sorted(rows("WARM"))
    assert all((ROOT / name).is_file() for name in warm)
    words = subprocess.run(
        ["make", "--print-data-base", "--question", "--no-builtin-rules", "no-such-target"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    ).stdout  # fmt: skip
    (followed,) = re.findall(r"^WARM := (.*)$", words, re.MULTILINE)
    assert set(followed.split()) == warm


# ---- dependencies ----


def needed(extra: str | None = None) -> set[str]:
    """Distributions pyproject.toml asks for, for running or for one extra."""
    project = PYPROJECT["project"]
    wanted = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return {re.split(r"[<>=!~\[; ]", line, maxsplit=1)[0] for line in wanted}


def foreign_imports(room: str) -> Iterator[tuple[str, str]]:
    """Modules imported by a room that are neither ours nor Python's, with the file."""
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )  # fmt: skip
            tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"santral", ""}
            yield from ((top, str(path.relative_to(ROOT))) for top in tops)
    for path in (ROOT / room).rglob("*.pyx"):
        tops = set(re.findall(r"^(?:from|import) (\w+)(?:\S* import\b|$)", path.read_text(), re.MULTILINE))
        yield from (
            (top, str(path.relative_to(ROOT))) for top in tops - set(sys.stdlib_module_names) - {"santral", "cython"}
        )


def import_names(distributions: set[str]) -> set[str]:
    return {IMPORTED_AS.get(name, name) for name in distributions}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_distribution_asks_for(room: str) -> None:
    allowed = import_names(needed())
    if room == "bench":
        allowed |= import_names(needed("demo"))
    speech = {("espeakng_loader", "engine/sounds/speech.py")}  # a script of ours; needs the extra `sounds`
    fuzzing = {("atheris", "bench/fuzz/__main__.py")}  # for developers; needs the extra `dev`
    peers = {("baresip", "bench/foreign/ears.py")}  # a process of its own; needs the extra `peers`
    stores = {(name, "recorder/storage/remote.py") for name in needed("storage")}  # folders need no extra
    surplus = {found for found in foreign_imports(room) if found[0] not in allowed} - speech - fuzzing - peers - stores
    assert not surplus


def test_every_dependency_is_used() -> None:
    used = {name for room in ROOMS for name, _ in foreign_imports(room)}
    assert not import_names(needed() - NEVER_IMPORTED) - used


def test_the_lock_names_every_dependency_with_hashes_and_nothing_of_the_machine() -> None:
    text = (ROOT / "requirements.lock").read_text()
    locked = re.findall(r"^([a-z0-9.-]+)==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)
    asked = needed() | {name for extra in PYPROJECT["project"]["optional-dependencies"] for name in needed(extra)}
    assert asked <= set(locked)
    assert len(locked) == len(set(locked)) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
    assert not re.search(r"://|^--|file:|\s/\w", re.sub(r"^#.*$", "", text, flags=re.MULTILINE), re.MULTILINE)


# ---- the set-up ----


@pytest.fixture
def preflight() -> ModuleType:
    spec = importlib.util.spec_from_file_location("preflight", ROOT / ".ci/preflight.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_preflight_finds_nothing_missing_here(preflight: ModuleType) -> None:
    assert preflight.missing_packages() == []
    assert preflight.main() == 0


def test_preflight_names_every_missing_package(
    preflight: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "has_module", lambda _: False)
    monkeypatch.setattr(preflight, "has_header", lambda _: False)
    monkeypatch.setattr(preflight, "has_tool", lambda _: False)
    assert preflight.main() == 1
    assert "apt-get install python3-venv python3-dev gcc make" in capsys.readouterr().err


@pytest.mark.parametrize(("finder", "package"), [("has_module", "python3-venv"), ("has_header", "python3-dev")])
def test_preflight_names_only_what_is_missing(
    preflight: ModuleType, monkeypatch: pytest.MonkeyPatch, finder: str, package: str
) -> None:
    monkeypatch.setattr(preflight, finder, lambda _: False)
    assert preflight.missing_packages() == [package]


def test_preflight_refuses_an_old_python(
    preflight: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "MINIMUM", (99, 0))
    assert preflight.main() == 1
    assert "Python 99.0 or later is needed" in capsys.readouterr().err


def test_preflight_needs_the_standard_library_only() -> None:
    source = (ROOT / ".ci/preflight.py").read_text()
    imported = {a.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import) for a in n.names}
    assert imported <= set(sys.stdlib_module_names) | {"importlib.util"}
