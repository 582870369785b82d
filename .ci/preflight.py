"""Say which Debian packages are missing before anything is built; needs nothing but the standard library."""

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path

MINIMUM = (3, 11)


def missing_packages() -> list[str]:
    """Debian packages without which the engine cannot be built with this interpreter."""
    missing = []
    if importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        missing.append("python3-dev")
    missing += [tool for tool in ("gcc", "make") if shutil.which(tool) is None]
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
