"""`santral serve`: one process, one uvloop, signals. SIGTERM drains, a second one stops now, SIGHUP reloads."""

import asyncio
import gc
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvloop

from santral.engine import log
from santral.engine.app import Engine
from santral.engine.cdr.store import StoreError
from santral.engine.config.load import load
from santral.engine.config.problems import ConfigError
from santral.engine.control.protocol import RequestError
from santral.engine.control.sockets import make_private_folder
from santral.engine.sequence import SequenceError

FILES_PER_CALL: Final = 4  # two legs, RTP and RTCP each
FILES_BESIDE: Final = 128  # listeners, database, control clients
COLLECT_AFTER: Final = (20_000, 20, 100)  # gc thresholds: calls are freed by reference counts, cycles are rare


def serve(path: Path | None) -> int:
    """Run in the foreground until stopped. Returns the exit status; problems of the start are one line on stderr."""
    log.configure()
    try:
        config = load(path)
    except ConfigError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    allowed = raise_file_limit()
    if allowed < config.sip.max_calls * FILES_PER_CALL + FILES_BESIDE:
        calls = max(0, allowed - FILES_BESIDE) // FILES_PER_CALL
        log.get("engine").warning("the open-file limit allows fewer calls than max_calls", files=allowed, calls=calls)
    try:
        make_private_folder(config.engine.data_dir)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(config, path))
    except (OSError, StoreError, SequenceError, ValueError) as problem:
        sys.stderr.write(f"santral cannot start: {problem}\n")
        return 1


async def _run(config, path: Path | None) -> int:  # type: ignore[no-untyped-def]
    loop = asyncio.get_running_loop()
    engine = Engine(config, path, loop)
    _install_signals(loop, engine)
    try:
        await engine.start()
    except BaseException:
        with suppress(Exception):
            await engine.stop()
        raise
    for address in engine.listening():
        print(f"listening on {address}")  # noqa: T201 - the contract: where it listens, then `ready`
    print("ready", flush=True)  # noqa: T201
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    await engine.drained()
    await engine.stop()
    return 0


def _install_signals(loop: asyncio.AbstractEventLoop, engine: Engine) -> None:
    terms = 0
    reloads: set[asyncio.Task[None]] = set()

    def terminate() -> None:
        nonlocal terms
        terms += 1
        if terms == 1:
            engine.drain()
        else:
            engine.stop_now()

    async def reload() -> None:
        with suppress(RequestError):  # logged by the engine; the old configuration stays
            await engine.reload()

    def hang_up() -> None:
        task = loop.create_task(reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGTERM, terminate)
    loop.add_signal_handler(signal.SIGINT, terminate)
    loop.add_signal_handler(signal.SIGHUP, hang_up)


def raise_file_limit() -> int:
    """Open files up to the hard limit; returns what is allowed now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard
    return soft
