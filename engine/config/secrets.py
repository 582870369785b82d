"""Secrets of the configuration: written in it, or kept in an environment variable or a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

MAX_SECRET: Final = 4096  # bytes read from a file


class SecretError(ValueError):
    """A secret that cannot be had. `key` is the key to blame; the text never holds the secret."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def resolve(table: dict[str, Any], key: str, folder: Path, environ: Mapping[str, str]) -> SecretStr | None:
    """Take `key`, `key_env` or `key_file` out of `table` and give the secret; `None` when none is there."""
    given = [name for name in (key, f"{key}_env", f"{key}_file") if name in table]
    if not given:
        return None
    if len(given) > 1:
        for name in given:
            del table[name]
        raise SecretError(given[1], f"only one of {' and '.join(given)} can be given")
    (name,) = given
    value = table.pop(name)
    if not isinstance(value, str):
        raise SecretError(name, "must be text")
    if name.endswith("_env"):
        value = _from_environment(name, value, environ)
    elif name.endswith("_file"):
        value = _from_file(name, folder / Path(value).expanduser())
    if not value:
        raise SecretError(name, "the secret is empty")
    return SecretStr(value)


def _from_environment(name: str, variable: str, environ: Mapping[str, str]) -> str:
    if variable not in environ:
        raise SecretError(name, f"the environment variable {variable} is not set")
    return environ[variable]


def _from_file(name: str, path: Path) -> str:
    """What the file holds, without the line end after it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET + 1)
        if len(content) > MAX_SECRET:
            raise SecretError(name, f"{path} has more than {MAX_SECRET} bytes")
        return content.decode().rstrip("\r\n")
    except OSError as problem:
        raise SecretError(name, f"{path} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise SecretError(name, f"{path} is not UTF-8 text") from None
