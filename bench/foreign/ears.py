"""baresip as a library (baresip-python, extra `peers`): callers that keep what they hear, several at once.

`python -m santral.bench.foreign.ears PORT ENGINE FOLDER NAME…` calls each name, stays until the other end hangs up,
writes what each caller heard as `FOLDER/0.wav`, `1.wav` … and prints how it went as JSON. In a process of its own: its
SIP stack lives once per process, and is native code. On loopback it has 127.0.0.1 only.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from santral.bench.peer import wav
from santral.bench.ports import HOST, free_block
from santral.bench.scene.stage import SceneError

if TYPE_CHECKING:
    from baresip import Call

PACKAGE: Final = "baresip"
CODEC: Final = "pcma"
READ_EVERY_S: Final = 0.02
READ_BYTES: Final = 64 * 1024
PORTS_PER_CALL: Final = 8
ANSWER_S: Final = 30.0


def is_there() -> bool:
    """Whether baresip-python is installed."""
    return find_spec(PACKAGE) is not None


@dataclass(frozen=True, slots=True)
class Heard:
    """One call: whom it called, for how many seconds it stood, what was heard, at 8 kHz."""

    name: str
    seconds: float
    audio: NDArray[np.int16]


class Ears:
    """The process of such callers, a context manager."""

    def __init__(self, folder: Path, port: int, engine: str, *names: str) -> None:
        """They all call from this port; `engine` is whom they call, an IPv4 address and a port."""
        self._folder, self._names = folder / "ears", names
        self._folder.mkdir(parents=True, exist_ok=True)
        self._words = [sys.executable, "-m", "santral.bench.foreign.ears", str(port), engine, str(self._folder), *names]

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log, (self._folder / "story.json").open("wb") as story:
            self._process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL, stdout=story, stderr=log)
        return self

    def __exit__(self, *problem: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def finish(self, seconds: float) -> list[Heard]:
        """What they heard, when all calls have ended. Raises SceneError."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise SceneError("baresip's callers do not end") from None
        if status:
            raise SceneError(f"baresip's callers failed: {(self._folder / 'log').read_text(errors='replace')[-2000:]}")
        told = json.loads((self._folder / "story.json").read_text())
        return [
            Heard(name, seconds, wav.read(self._folder / f"{n}.wav")[0])
            for n, (name, seconds) in enumerate(zip(self._names, told, strict=True))
        ]


async def listen_in(call: "Call") -> tuple[float, bytes]:
    """For how long the call stands, and all that is heard until it ends."""
    from baresip import AudioNotActive, AudioRestarted, CallState  # noqa: PLC0415 - an extra

    await call.wait_established(ANSWER_S)
    began, heard = time.monotonic(), b""
    while call.state is not CallState.CLOSED:
        with suppress(AudioNotActive, AudioRestarted):
            heard += call.audio.read(READ_BYTES)
        await asyncio.sleep(READ_EVERY_S)
    return time.monotonic() - began, heard


async def call_all(port: int, engine: str, folder: Path, names: list[str]) -> list[float]:
    """All of them at once; how long each call stood."""
    from baresip import Account, Config, Runtime, UserAgent  # noqa: PLC0415 - an extra

    ports = PORTS_PER_CALL * len(names)
    rtp = free_block(ports)
    text = f"sip_listen {HOST}:{port}\nrtp_ports {rtp}-{rtp + ports - 1}\n"
    runtime = Runtime()
    await runtime.start(Config(net_interface=HOST, max_concurrent_calls=None, extra_config_text=text))
    try:
        account = Account("ears", HOST, "", reg_interval=0, audio_codecs=(CODEC,))
        agent = await UserAgent.create(runtime, account)
        calls = [await agent.dial(f"sip:{name}@{engine}") for name in names]
        found = await asyncio.gather(*map(listen_in, calls))
    finally:
        await runtime.close()
    for n, (_, audio) in enumerate(found):
        wav.write(folder / f"{n}.wav", np.frombuffer(audio[: len(audio) // 2 * 2], "<i2").astype(np.int16))
    return [seconds for seconds, _ in found]


def main(words: list[str]) -> Any:
    port, engine, folder, *names = words
    print(json.dumps(asyncio.run(call_all(int(port), engine, Path(folder), names))))  # noqa: T201 - for `Ears`


if __name__ == "__main__":
    main(sys.argv[1:])
