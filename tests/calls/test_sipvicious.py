"""sipvicious against a running engine: with its own name it meets nobody, under another one it is banned."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from santral.engine.guard.bans import BAN_AFTER

Start = Callable[..., Awaitable[Any]]
TOOL_S = 6.0  # a tool that hears nothing goes on for long

CONFIG = """
[engine]
node = "test"
data_dir = "{folder}/data"
[sip]
listen = ["udp:127.0.0.1:0"]
{sip}
[rtp]
ports = "0"
[[tenant]]
name = "acme"
domain = "acme.example"
[[user]]
name = "101"
tenant = "acme"
password = "155"
[[route]]
name = "echo"
tenant = "acme"
destinations = [{{ echo = true }}]
"""


@pytest.fixture
async def attack(start: Start, lacking: Callable[[str], NoReturn]) -> Callable[..., Awaitable[tuple[Any, str]]]:
    """Start an engine and let one tool of sipvicious loose on it; the engine and all the tool said."""

    async def run(tool: str, *arguments: str, sip: str = "") -> tuple[Any, str]:
        program = shutil.which(f"sipvicious_{tool}", path=str(Path(sys.executable).parent))
        if program is None:
            lacking("sipvicious is not installed (the extra `peers`)")
        bench = await start(config=CONFIG, sip=sip)
        port = bench.left.engine[1]
        line = [one.format(port=port) for one in arguments]
        process = await asyncio.create_subprocess_exec(
            program,
            *line,
            "127.0.0.1",
            cwd=bench.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(TOOL_S):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            said, _ = await process.communicate()
        return bench.engine, said.decode(errors="replace")

    return run


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("svmap", ("-p", "{port}", "-m", "INVITE")),
        ("svwar", ("-p", "{port}", "-e", "100-110")),
    ],
)
async def test_it_finds_nothing(attack: Any, tool: str, arguments: tuple[str, ...]) -> None:
    engine, said = await attack(tool, *arguments)
    assert "found nothing" in said
    assert engine.status()["guard"]["dropped_scanner"] >= 1
    assert set(engine.signalling.agent.counts.values()) == {0}


NAMELESS = 'scanners = ["nobody-calls-itself-so"]\ndigest = ["MD5"]'  # it knows no other hash


async def test_under_another_name_extensions_all_look_alike(attack: Any) -> None:
    arguments = ("-p", "{port}", "-e", "99-110", "-m", "REGISTER", "--domain", "acme.example")
    engine, said = await attack("svwar", *arguments, sip=NAMELESS)
    assert "found nothing" in said or said.count("reqauth") in (0, 12), said
    assert engine.services.registrations.count() == 0


async def test_under_another_name_it_is_banned_before_it_guesses(attack: Any) -> None:
    arguments = ("-p", "{port}", "-u", "101", "-r", "100-200", "--domain", "acme.example", "--maximumtime", "3")
    engine, said = await attack("svcrack", *arguments, sip=NAMELESS)
    assert "155" not in said, said
    (ban,) = engine.bans()
    assert ban["address"] == "127.0.0.1"
    assert engine.status()["guard"]["proof_wrong"] == BAN_AFTER
    assert engine.status()["guard"]["dropped_banned"] > 0
