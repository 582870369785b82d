"""A media plane without signalling: `python -m santral.bench.load.plane MODE`, peers' ports on standard input.

MODE: `relay` bridges the legs in pairs, whose peers speak A-law; `between:A,B` too, but the first peer of a pair speaks
the codec A and the second one B (as in a=rtpmap). `rooms:N` puts N legs at a time into one room; `record:FOLDER`
bridges in pairs and captures each pair into a file of the folder. Prints the legs' ports, then `ready`; on SIGUSR1 all
its counters as one line of JSON, `media_cpu_ns` of the media thread alone among them. SIGTERM ends it, and what it
records.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

from santral.bench.ports import HOST
from santral.engine.media import MediaEvent, MediaLeg, MediaPlane, PlaneSettings, RemoteMedia
from santral.recorder.capture import CaptureHeader

PORTS: Final = (20_000, 31_999)
PAYLOAD_TYPES: Final = {"PCMU/8000": 0, "PCMA/8000": 8, "G722/8000": 9, "opus/48000/2": 96}
AT_ONCE: Final = 50  # legs opened in one go: the loop takes its turn between


def remote(number: int, port: int, mode: str) -> RemoteMedia:
    codecs = mode.partition(":")[2].split(",") if mode.startswith("between:") else ["PCMA/8000"]
    codec = codecs[number % len(codecs)]
    number = PAYLOAD_TYPES[codec]
    return RemoteMedia(HOST, port, {number: codec}, {codec: number}, rtcp=False, ptime_ms=20)


def join(plane: MediaPlane, legs: list[MediaLeg], mode: str) -> None:
    if not mode.startswith("rooms:"):
        for one, other in zip(legs[::2], legs[1::2], strict=True):
            plane.bridge(one, other)
        return
    size = int(mode.partition(":")[2])
    for first in range(0, len(legs), size):
        room = plane.open_room()
        for leg in legs[first : first + size]:
            room.join(leg)


async def record(plane: MediaPlane, legs: list[MediaLeg], folder: Path) -> None:
    for number in range(0, len(legs), 2):
        capture = plane.captures.open(
            folder / f"{number // 2}.capture", CaptureHeader.now(str(number), "bench", "bench")
        )
        capture.add(legs[number], "originating")
        capture.add(legs[number], "originating", side="played")  # as of every call, though nothing is played here
        capture.add(legs[number + 1], "connected")
        capture.add(legs[number + 1], "connected", side="played")
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)


def threads() -> set[str]:
    return set(os.listdir("/proc/self/task"))


def cpu_ns(thread: str) -> int:
    return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[0])


async def serve(mode: str, ports: list[int]) -> None:
    def ignore(event: MediaEvent) -> None:
        """Nobody is told."""

    plane = MediaPlane(PlaneSettings(PORTS, max_legs=len(ports) + 8), ignore)
    loop = asyncio.get_running_loop()
    before = threads()
    plane.start(loop)
    (media,) = threads() - before
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: say(json.dumps(plane.snapshot() | {"media_cpu_ns": cpu_ns(media)})))
    legs = []
    for number, port in enumerate(ports):
        leg = plane.open_leg(HOST)
        leg.set_remote(remote(number, port, mode))
        legs.append(leg)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    join(plane, legs, mode)
    if mode.startswith("record:"):
        await record(plane, legs, Path(mode.partition(":")[2]))
    say(" ".join(str(leg.port) for leg in legs))
    say("ready")
    await stopped.wait()
    await plane.stop()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], [int(word) for word in sys.stdin.read().split()]))
