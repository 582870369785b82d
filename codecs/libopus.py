"""Where libopus is: the one that PyAV carries, which the lock file pins, else the system's."""

import ctypes
import importlib.util
from pathlib import Path
from typing import Final

SYSTEM_NAMES: Final = ("libopus.so.0", "libopus.so")
MISSING: Final = "libopus was not found"


def open_library() -> tuple[ctypes.CDLL, str]:
    """The library and the path or name it was opened by; OSError when there is none."""
    for name in (*carried(), *SYSTEM_NAMES):
        try:
            return ctypes.CDLL(name), name
        except OSError:
            continue
    raise OSError(MISSING)


def carried() -> list[str]:
    """Libraries beside the package `av`, without importing it: wheels carry them there under names of their own."""
    found = importlib.util.find_spec("av")
    if found is None or found.origin is None:
        return []
    folder = Path(found.origin).parent.parent / "av.libs"
    return sorted(map(str, folder.glob("libopus-*.so*")))
