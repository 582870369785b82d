"""`recorder` and `recordings`: their options. What they do stands in `archive.py`, loaded when it runs."""

from pathlib import Path
from typing import Annotated, Final

import typer

from santral.engine.cli.failure import Failure

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "-c", "--config", metavar="FILE", help="Configuration; else ./santral.toml, /etc/santral/santral.toml."
    ),
]
Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="Of this tenant only.")]
PublicKey = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="The ledger's public key as it is kept elsewhere (PEM).")
]
Anchor = Annotated[
    str | None, typer.Option(metavar="ENTRY:HASH", help="A head of the ledger as it was told somebody outside.")
]

recordings: Final = typer.Typer(help="Work with recordings, with or without a running engine.", no_args_is_help=True)


def recorder(
    fd: Annotated[int | None, typer.Option(metavar="N", help="The engine's socket: how the engine starts it.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Finish what is on disk, without an engine, and end.")] = False,
    config: ConfigFile = None,
) -> None:
    """The recorder process: mixes, encodes, seals and stores what was captured. The engine starts it."""
    if once == (fd is not None):
        raise Failure("one of --once and --fd says for whom it works", 2)
    from santral.engine import log  # noqa: PLC0415

    log.configure()
    say = log.get("recorder").info
    if fd is not None:
        from santral.recorder.pipeline.link import serve  # noqa: PLC0415

        serve(fd, say)
    else:
        from santral.engine.cli.archive import run_once  # noqa: PLC0415

        run_once(config, say)


@recordings.command("ls")
def list_recordings(tenant: Tenant = None, config: ConfigFile = None) -> None:
    """List what is stored: a line of JSON each, oldest day first."""
    from santral.engine.cli.archive import list_stored  # noqa: PLC0415

    list_stored(config, tenant)


@recordings.command("export")
def export_recordings(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Recordings.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to put the files.")] = Path(),
    config: ConfigFile = None,
) -> None:
    """Fetch all files of recordings from their stores, opened where they are sealed."""
    from santral.engine.cli.archive import export  # noqa: PLC0415

    export(config, ids, output)


@recordings.command("verify")
def verify_recordings(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID …]", help="Files of these only; else of all.")] = None,
    key: PublicKey = None,
    anchor: Anchor = None,
    config: ConfigFile = None,
) -> None:
    """Hold every stored file against the ledger, and the ledger against itself; a line of JSON for each finding."""
    from santral.engine.cli.archive import verify_stored  # noqa: PLC0415

    verify_stored(config, ids or [], key, anchor)


@recordings.command("recover")
def recover_recordings(config: ConfigFile = None) -> None:
    """Finish what an engine or a recorder left behind, also what was given up."""
    from santral.engine.cli.archive import recover  # noqa: PLC0415

    recover(config)
