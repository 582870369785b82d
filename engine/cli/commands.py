"""Every command with its options. What a command does stands in a module of its own, loaded when it runs.

Errors are one line on stderr and a status that is not 0. `SANTRAL_TRACEBACK=1` shows where an unexpected one came from.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from santral.engine.cli.failure import Failure
from santral.engine.cli.recorder import recorder, recordings

UNEXPECTED: Final = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count

app = typer.Typer(
    name="santral",
    help="Santral, a real-time call engine for SIP trunks.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "-c", "--config", metavar="FILE", help="Configuration; else ./santral.toml, /etc/santral/santral.toml."
    ),
]
ControlSocket = Annotated[
    str | None,
    typer.Option(
        "-s", "--socket", metavar="SOCKET", help="Control socket; else $SANTRAL_SOCKET, else the configuration's."
    ),
]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Run, watch and examine a Santral engine."""
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415

        typer.echo(f"santral {installed('santral')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@app.command()
def serve(config: ConfigFile = None) -> None:
    """Run the engine in the foreground. SIGTERM drains, a second one stops now, SIGHUP reloads."""
    from santral.engine.memory import arenas  # noqa: PLC0415

    arenas.use()  # before what is imported next
    from santral.engine.daemon import serve as run  # noqa: PLC0415

    raise typer.Exit(run(config))


@app.command()
def check(config: ConfigFile = None) -> None:
    """Validate a configuration; name every error and its line."""
    from santral.engine.cli.planning import check as run  # noqa: PLC0415

    run(config)


@app.command()
def explain(
    *,
    caller: Annotated[str, typer.Option("--from", metavar="NUMBER", help="Calling number.")],
    called: Annotated[str, typer.Option("--to", metavar="NUMBER", help="Called number.")],
    trunk: Annotated[str | None, typer.Option(help="Trunk the call comes from.")] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME@DOMAIN", help="Or the user who calls.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="ISO 8601; UTC unless it has an offset. Default: now.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Print the plan of a call and the reasons, without placing it."""
    from santral.engine.cli.planning import explain as run  # noqa: PLC0415

    run(config, trunk, user, (caller, called), at)


@app.command()
def ctl(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="As listed by `santral ctl engine.methods`.")],
    params: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE … | JSON]", help="Its parameters.")] = None,
    socket: ControlSocket = None,
) -> None:
    """Send one control request and print the answer as JSON."""
    from santral.engine.cli.remote import ctl as run  # noqa: PLC0415

    run(socket, method, params or [])


@app.command()
def events(
    socket: ControlSocket = None,
    since: Annotated[
        int | None, typer.Option(metavar="SEQ", help="Start after this event; 0 for all that are kept.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="GLOB", help="Only these, as `call.*`; repeatable.")
    ] = None,
) -> None:
    """Follow events as JSON lines."""
    from santral.engine.cli.remote import follow as run  # noqa: PLC0415

    run(socket, since, types or ["*"])


@app.command()
def doctor(config: ConfigFile = None) -> None:
    """Examine this machine: what is wrong, and how to mend it."""
    from santral.engine.cli.examine import doctor as run  # noqa: PLC0415

    run(config)


@app.command()
def analyse(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Audio in any format FFmpeg reads.")],
    dtmf: Annotated[bool, typer.Option("--dtmf", help="Digits in the audio.")] = False,
    tones: Annotated[bool, typer.Option("--tones", help="Tones of networks and fax machines.")] = False,
    vad: Annotated[bool, typer.Option("--vad", help="Where somebody talks.")] = False,
) -> None:
    """Run the engine's detectors over audio files; a line of JSON each. All detectors unless some are named."""
    from santral.engine.cli.analyse import analyse as run  # noqa: PLC0415

    run(files, dtmf=dtmf, tones=tones, vad=vad)


app.command()(recorder)
app.add_typer(recordings, name="recordings")


@app.command()
def mixdown(
    captures: Annotated[list[Path], typer.Argument(metavar="CAPTURE…", help="Capture files, also growing or cut.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Else <recording>.wav beside the capture.")
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="wav, wav-alaw, wav-ulaw, flac, opus or mp3; else by FILE."),
    ] = None,
    channels: Annotated[str, typer.Option(help="stereo (who called is left) or mono.")] = "stereo",
    tracks: Annotated[bool, typer.Option("--tracks", help="A file for each leg or member, too.")] = False,
    rate: Annotated[int, typer.Option(metavar="HZ", help="Sampling rate; 0: that of the best codec used.")] = 0,
    loss: Annotated[str, typer.Option(help="What stands for lost packets: conceal or silence.")] = "conceal",
    held: Annotated[str, typer.Option(help="What who holds sends meanwhile: record or silence.")] = "record",
    digits: Annotated[str, typer.Option(help="Digits that were sent as events: tones or silence.")] = "tones",
    peaks: Annotated[bool, typer.Option("--peaks", help="The wave's outline as JSON, too.")] = False,
    picture: Annotated[bool, typer.Option("--picture", help="And as a picture.")] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keys of encrypted captures, one a line; else the configuration's."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Make audio of capture files, with nothing else running."""
    from santral.engine.cli.mixdown import mixdown as run  # noqa: PLC0415
    from santral.engine.cli.mixdown import unwrapping  # noqa: PLC0415
    from santral.recorder.mixdown import Options  # noqa: PLC0415

    try:
        options = Options(channels, tracks, rate, loss, held, digits)  # type: ignore[arg-type]  # checked there
    except ValueError as problem:
        raise Failure(str(problem), 2) from None
    unwrap = unwrapping(key_file, config)
    run(captures, output, options, format_name, unwrap=unwrap, peaks=peaks, picture=picture)


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Where to leave what was heard.")
    ] = None,
) -> None:
    """Place real calls through an engine of its own and judge them."""
    from santral.bench.demo import main as run  # noqa: PLC0415

    raise typer.Exit(run(folder) if folder else run())


@app.command()
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME …]", help="Benchmarks; all if none is named.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw latencies.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Short runs that prove little.")] = False,
) -> None:
    """Measure this machine and this build."""
    from santral.bench.cli import main as run  # noqa: PLC0415

    raise typer.Exit(run(names or (), json_file=json, plot=plot, quick=quick))


def main() -> None:
    """Entry point of `santral`: run a command and leave with its status."""
    sys.exit(run_app(sys.argv[1:]))


def run_app(arguments: list[str]) -> int:
    """Run a command and return its status; whatever goes wrong is one line on stderr."""
    try:
        status: Any = app(args=arguments, prog_name="santral", standalone_mode=False)
    except Failure as problem:
        return say(str(problem), problem.status)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as problem:
        return refuse(problem)
    return status if isinstance(status, int) else 0


def refuse(problem: Exception) -> int:
    """Tell what is wrong with the command line, or that a fault of ours was met."""
    if isinstance(problem, typer.Exit):
        return problem.exit_code
    if isinstance(problem, typer.Abort):
        return INTERRUPTED
    message = getattr(problem, "format_message", None)  # usage errors of the command line parser
    if message is not None:
        return say(f"{message()} (see --help)", getattr(problem, "exit_code", 2))
    if os.environ.get("SANTRAL_TRACEBACK"):
        raise problem
    return say(f"unexpected {type(problem).__name__}: {problem}", UNEXPECTED)


def say(message: str, status: int) -> int:
    """Write one line on stderr."""
    line = " ".join(message.split()) if status == UNEXPECTED else message
    sys.stderr.write(f"santral: {line}\n")
    return status
