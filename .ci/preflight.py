"""Say which Debian packages are missing before anything is built; needs nothing but the standard library."""

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path

MINIMUM = (3, 11)


def has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def has_header(name: str) -> bool:
    return (Path(sysconfig.get_path("include")) / name).is_file()


def has_tool(name: str) -> bool:
    return shutil.which(name) is not None


def missing_packages() -> list[str]:
    """Debian packages without which the engine cannot be built with this interpreter."""
    missing = []
    if not has_module("ensurepip"):
        missing.append("python3-venv")
    if not has_header("Python.h"):
        missing.append("python3-dev")
    missing += [tool for tool in ("gcc", "make") if not has_tool(tool)]
    return missing


def main() -> int:
    if sys.version_info < MINIMUM:
        sys.stderr.write(f"Python {MINIMUM[0]}.{MINIMUM[1]} or later is needed, this is {sys.version.split()[0]}\n")
        return 1
    if missing := missing_packages():
        sys.stderr.write(f"Missing packages. Install them with: apt-get install {' '.join(missing)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
