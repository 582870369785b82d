"""Opening the control sockets safely: who may reach them is decided here, before anybody can connect."""

import contextlib
import ipaddress
import os
import socket
import stat
from pathlib import Path
from typing import Final

PRIVATE_FOLDER: Final = 0o700
PRIVATE_SOCKET: Final = 0o600
MAX_PATH: Final = 107  # bytes of a Unix socket's name (sun_path with its NUL)
BACKLOG: Final = 64


def make_private_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, for its owner alone. One that exists stays as it is."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def is_private(folder: Path) -> bool:
    """Tell whether only the owner may look into `folder`."""
    return not stat.S_IMODE(folder.stat().st_mode) & 0o077


def open_unix(path: Path) -> socket.socket:
    """Bind the control socket, mode 0600 from its first moment; ValueError when something else holds the path.

    A socket file that nobody answers on was left by an engine that was killed, and is replaced.
    """
    if len(os.fsencode(path)) > MAX_PATH:
        raise ValueError(f"control socket {path}: the path is longer than {MAX_PATH} bytes")
    make_private_folder(path.parent)
    remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~PRIVATE_SOCKET)
    try:
        listener.bind(str(path))
    except OSError as problem:
        listener.close()
        raise ValueError(f"control socket {path}: {problem.strerror}") from None
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def remove_stale(path: Path) -> None:
    """Remove a dead socket file; ValueError if it is alive, or is no socket."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ValueError(f"control socket {path}: there is a file of that name that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except OSError as problem:
            raise ValueError(f"control socket {path}: {problem.strerror or problem}") from None
        else:
            raise ValueError(f"control socket {path}: another engine answers on it")


def inode(path: Path) -> int:
    """Return what tells our socket file from one that another engine puts in its place."""
    return path.lstat().st_ino


def remove_own(path: Path, listener_inode: int) -> None:
    """Remove our socket file, unless another engine has put its own there."""
    with contextlib.suppress(OSError):
        if inode(path) == listener_inode:
            path.unlink()


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
