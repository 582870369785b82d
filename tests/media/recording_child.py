"""A process that records a call to a disk with a fault, real and made here: `recording_child.py FAULT FOLDER [sealed]`.

Prints JSON lines: what became of the capture and of the call. Run in a mount namespace of its own where the fault
needs one. `endless`: records until it is killed.
"""

import asyncio
import errno
import functools
import json
import os
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from santral.engine.media import CaptureEvent, MediaPlane, PlaneSettings, RemoteMedia
from santral.recorder.capture import CaptureFile, CaptureHeader, CaptureKey, NotACapture

KEY = CaptureKey(bytes(32), b"wrapped")
PACKET_S = 0.01


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def mount(folder: Path, options: str) -> None:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def fill(folder: Path) -> None:
    with suppress(OSError), (folder / "filler").open("wb", 0) as file:
        while True:
            file.write(bytes(4096))


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def faults(folder: Path) -> dict[str, tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]]:
    """Before the recording, in the middle of it, and undone."""

    def nothing() -> None:
        return None

    def remount(how: str) -> Callable[[], Any]:
        return lambda: subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)

    def protect() -> None:
        mount(folder, "size=4m")
        remount("ro")()

    return {
        "full": (
            functools.partial(mount, folder, "size=512k"),
            functools.partial(fill, folder),
            (folder / "filler").unlink,
        ),
        "too_large": (nothing, lambda: limit(20_000), lambda: limit(resource.RLIM_INFINITY)),
        "read_only": (protect, nothing, remount("rw")),
        "missing": (nothing, nothing, folder.mkdir),
        "endless": (nothing, nothing, nothing),
    }


class Talk:
    """Both sides say numbered packets, in real time."""

    def __init__(self, plane: MediaPlane) -> None:
        self.peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        self.legs = [plane.open_leg("127.0.0.1") for _ in range(2)]
        for peer, leg in zip(self.peers, self.legs, strict=True):
            peer.bind(("127.0.0.1", 0))
            peer.setblocking(False)
            leg.set_remote(RemoteMedia(*peer.getsockname(), {8: "PCMA/8000"}, {"PCMA/8000": 8}, rtcp=False))
        plane.bridge(*self.legs)
        self.said = 0
        self.heard = 0

    async def run(self) -> None:
        while True:
            head = struct.pack("!BBHII", 0x80, 8, self.said, 160 * self.said, 7)
            for peer, leg in zip(self.peers, self.legs, strict=True):
                peer.sendto(head + self.said.to_bytes(4) * 40, (leg.address, leg.port))
            self.said += 1
            await asyncio.sleep(PACKET_S)
            self.listen()

    def listen(self) -> None:
        """Count what was relayed; opening packets and keep-alives are shorter."""
        for peer in self.peers:
            with suppress(BlockingIOError):
                while True:
                    self.heard += len(peer.recv(2048)) == 172


async def told(events: list[CaptureEvent], kind: str) -> None:
    for _ in range(1000):
        if any(event.kind == kind for event in events):
            return
        await asyncio.sleep(0.02)
    raise TimeoutError(kind)


async def main(fault: str, folder: Path, key: CaptureKey | None) -> None:
    before, during, after = faults(folder)[fault]
    before()
    events: list[CaptureEvent] = []
    plane = MediaPlane(PlaneSettings(ports=(0, 0), max_legs=8), lambda event: None)
    plane.start(asyncio.get_running_loop())
    talk = Talk(plane)
    capture = plane.captures.open(
        path := folder / "r.capture", CaptureHeader.now("r", "t", "n"), key=key, on_event=events.append
    )
    capture.add(talk.legs[0], "originating")
    capture.add(talk.legs[1], "connected")
    talking = asyncio.create_task(talk.run())
    if fault == "endless":
        say(started=True)
        await talking
    await asyncio.sleep(0.7)
    during()
    await told(events, "failed")
    readable = packets_in(path, key)
    await asyncio.sleep(0.3)
    after()
    await told(events, "recovered")
    talking.cancel()
    await asyncio.sleep(0.1)
    talk.listen()
    summary = await capture.close("over")
    await plane.stop()
    say(
        events=[(event.kind, event.reason) for event in events],
        summary={name: str(value) for name, value in asdict(summary).items()},
        said=2 * talk.said,
        heard=talk.heard,
        readable=readable,
        **read(path, key),
    )


def packets_in(path: Path, key: CaptureKey | None) -> int:
    """What could be read if this were all."""
    try:
        with CaptureFile(path, None if key is None else lambda *_: key.data) as file:
            return len(file.read().packets)
    except (OSError, NotACapture) as problem:
        return -1 if getattr(problem, "errno", 0) == errno.ENOENT else -2


def read(path: Path, key: CaptureKey | None) -> dict[str, Any]:
    with CaptureFile(path, None if key is None else lambda *_: key.data) as file:
        batch = file.read()
        numbers = [
            [int.from_bytes(batch.payload(i)[:4]) for i in range(len(batch.packets)) if batch.packets["stream"][i] == n]
            for n in (0, 1)
        ]
        gapless = all(side == list(range(len(side))) for side in numbers)
        return {
            "tried_again": tried_again(path.read_bytes()),
            "packets": len(batch.packets),
            "gapless": gapless,
            "complete": file.is_complete,
            "damage": len(file.damage),
        }


def tried_again(data: bytes) -> bool:
    """Whether a chunk had more than one attempt, as its number says."""
    at, times = data.find(b"chnk"), 0
    while at < len(data):
        size, number = struct.unpack_from("<IQ", data, at + 4)
        times += number >> 48
        at += 24 + size
    return times > 0


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), KEY if "sealed" in sys.argv else None))
    os._exit(0)
