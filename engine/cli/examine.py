"""`doctor`: what is wrong with this machine, offline."""

from pathlib import Path
from typing import Final

import typer

from santral.engine.cli.failure import Failure
from santral.engine.config import ConfigError, load, loads
from santral.engine.config.defaults import EMBEDDED
from santral.engine.control.doctor import examine

MARKS: Final = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


def doctor(path: Path | None) -> None:
    """Print every finding, and fail when one is an error. A wrong configuration is a finding, too."""
    errors = 0
    try:
        config = load(path)
    except ConfigError as problem:
        config = loads(EMBEDDED)
        errors = 1
        typer.echo(f"ERROR   configuration: {len(problem.problems)} wrong; the rest is for the embedded defaults")
        typer.echo("        → santral check")
    for finding in examine(config):
        typer.echo(f"{MARKS[finding['state']]} {finding['check']}: {finding['found']}")
        if finding["mend"]:
            typer.echo(f"        → {finding['mend']}")
        errors += finding["state"] == "error"
    if errors:
        raise Failure(f"{errors} {'error' if errors == 1 else 'errors'} found")
