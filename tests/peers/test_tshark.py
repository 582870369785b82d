"""Wireshark's dissectors as judge of what the engine puts on the wire: nothing malformed, in SIP, SDP, RTP and RTCP."""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from santral.bench.scene.stage import COLLEAGUE, RTP_PORTS, SOUNDS, Stage

CAPTURE_STARTS_S = 10.0
HEURISTICS = ("-o", "rtp.heuristic_rtp:TRUE", "-o", "rtcp.heuristic_rtcp:TRUE")


@contextmanager
def capture(file: Path) -> Iterator[None]:
    """Everything over UDP on loopback, written to `file`."""
    with subprocess.Popen(
        ["tshark", "-q", "-i", "lo", "-f", "udp", "-w", str(file)], stderr=subprocess.PIPE, text=True
    ) as tshark:
        try:
            end = time.monotonic() + CAPTURE_STARTS_S
            while not (file.exists() and file.stat().st_size) and time.monotonic() < end:
                assert tshark.poll() is None, tshark.stderr and tshark.stderr.read()
                time.sleep(0.05)
            yield
            time.sleep(1.0)  # what is still in its buffer
        finally:
            tshark.terminate()


def fields(file: Path, stage: Stage, wanted: str, *names: str) -> list[list[str]]:
    """The named fields of every packet of the engine's that fits the display filter."""
    ports = stage.ports
    ours = f"(udp.srcport == {ports.engine} or udp.srcport in {{{ports.rtp}..{ports.rtp + RTP_PORTS - 1}}})"
    shown = [word for name in names for word in ("-e", name)]
    sip = ["-d", f"udp.port=={ports.engine},sip"]
    done = subprocess.run(
        ["tshark", "-r", str(file), *HEURISTICS, *sip, "-Y", f"{ours} and ({wanted})", "-T", "fields", *shown],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_nothing_the_engine_sends_is_malformed(
    stage: Stage, need: Callable[[str], None], lacking: Callable[[str], NoReturn], tmp_path: Path
) -> None:
    need("tshark")
    if os.geteuid() != 0:
        lacking("capturing needs root")
    file = tmp_path / "call.pcapng"
    callee = stage.phone(
        "wire-callee", "answer", stage.ports.callee, "--play", str(SOUNDS / "passage-tr.wav"), "--longest", "25"
    )
    with capture(file), callee:
        words = ("--to", stage.uri(COLLEAGUE), "--play", str(SOUNDS / "passage-en.wav"), "--digits", "159#")
        with stage.phone("wire-caller", "call", stage.ports.caller, *words) as caller:
            caller.story()
        callee.story()
    kinds = Counter(row[0].split(":")[-1] for row in fields(file, stage, "udp", "frame.protocols"))
    assert kinds["sip"] + kinds["sdp"] >= 7
    assert kinds["rtp"] + kinds["rtpevent"] > 300
    assert kinds["rtcp"] > 0
    broken = fields(file, stage, "_ws.malformed or _ws.expert.severity >= 8388608", "frame.number", "_ws.col.Info")
    assert broken == []
    digits = fields(file, stage, "rtpevent", "rtpevent.event_id")
    assert {int(row[0]) for row in digits} >= {1, 5, 9, 11}
