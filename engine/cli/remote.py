"""`ctl` and `events`: talking to a running engine over its Unix socket."""

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import typer

from santral.engine.cli.failure import Failure
from santral.engine.control.client import Disconnected, SyncClient
from santral.engine.control.protocol import RequestError

VARIABLE: Final = "SANTRAL_SOCKET"
FILES: Final = (Path("santral.toml"), Path("/etc/santral/santral.toml"))
TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def ctl(socket: str | None, method: str, words: list[str]) -> None:
    """Send one request and print its result."""
    with connect(socket) as client:
        try:
            result = client.call(method, **parameters(client, method, words))
        except RequestError as refusal:
            raise Failure(told(refusal)) from None
        except OSError as problem:
            raise Failure(f"{method}: {problem}") from None
    typer.echo(json.dumps(written(result), indent=2, ensure_ascii=False, default=str))


def written(result: dict[str, Any]) -> dict[str, Any]:
    """The result with its octets in files of the current folder, named by id and kind, in place of themselves."""
    shown = dict(result)
    for kind, value in result.items():
        if isinstance(value, bytes):
            file = Path(f"{Path(str(result.get('id', 'result'))).name}.{kind}")
            try:
                file.write_bytes(value)
            except OSError as problem:
                raise Failure(f"{file}: {problem.strerror or problem}") from None
            shown[kind] = str(file)
    return shown


def follow(socket: str | None, since: int | None, types: list[str]) -> None:
    """Print events as they come, one JSON object a line, until interrupted."""
    with connect(socket) as client:
        try:
            for event in client.events(since, types):
                sys.stdout.write(json.dumps(event, ensure_ascii=False, default=str) + "\n")
                sys.stdout.flush()
        except RequestError as refusal:
            raise Failure(told(refusal)) from None
        except Disconnected as reason:
            raise Failure(f"events ended: {reason}") from None
        except BrokenPipeError:  # whoever read them has left, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as problem:
            raise Failure(f"events: {problem}") from None
        except KeyboardInterrupt:
            return


def connect(socket: str | None) -> SyncClient:
    """Connect to the engine; Failure says where it was looked for."""
    path = socket or os.environ.get(VARIABLE) or configured_socket()
    try:
        return SyncClient(path)
    except OSError as problem:
        raise Failure(f"no engine answers on {path}: {problem.strerror or problem}") from None


def configured_socket() -> str:
    """Return the control socket that the configuration file names.

    Reads that much of the file and no more: an engine must be reachable while somebody edits its configuration.
    """
    file = next((each for each in FILES if each.is_file()), None)
    try:
        content: dict[str, Any] = tomllib.loads(file.read_text()) if file else {}
        folder = file.absolute().parent if file else Path.cwd()
        data = Path(content.get("engine", {}).get("data_dir", "data"))
        return str(folder / content.get("control", {}).get("socket", data / "control.sock"))
    except (OSError, ValueError, AttributeError, TypeError) as problem:
        raise Failure(f"{file} does not tell the control socket ({problem}); give it with -s") from None


def told(refusal: RequestError) -> str:
    """Return an error of the engine as one line."""
    details = "; ".join(map(str, refusal.data)) if isinstance(refusal.data, list) else ""
    return f"{refusal.code}: {refusal.message}" + (f": {details}" if details else "")


def parameters(client: SyncClient, method: str, words: list[str]) -> dict[str, Any]:
    """Read the parameters on the command line: one JSON object, or words `key=value` typed as the engine says."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            given: dict[str, Any] = json.loads(words[0])
        except ValueError as problem:
            raise Failure(f"the parameters are no JSON object: {problem}", 2) from None
        return given
    if not words:
        return {}
    types = known_types(client, method)
    params = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise Failure(f"{word[:40]}: parameters are key=value, or one JSON object", 2)
        params[name] = typed(name, value, types.get(name, "str"))
    return params


def known_types(client: SyncClient, method: str) -> dict[str, str]:
    """Ask the engine for the types of a method's parameters; empty for a method it does not know."""
    for each in client.call("engine.methods")["items"]:
        if each["name"] == method:
            return {param["name"]: param["type"] for param in each["params"]}
    return {}


def typed(name: str, value: str, type_name: str) -> Any:
    """Turn a word into a value of the named type; lists are written `a,b`, nil as nothing or `null`."""
    kind, optional = type_name.removesuffix(" or nil"), type_name.endswith(" or nil")
    if optional and value in {"", "null"}:
        return None
    try:
        match kind:
            case "int":
                return int(value)
            case "float":
                return float(value)
            case "bool":
                return TRUTHS[value.lower()]
            case "list of str":
                return json.loads(value) if value.startswith("[") else value.split(",")
        return json.loads(value) if kind.startswith(("list", "map")) else value
    except (ValueError, KeyError):
        raise Failure(f"{name}: {value[:40]!r} is no {kind}", 2) from None
