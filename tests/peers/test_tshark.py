"""Wireshark's dissectors as judge of what the engine puts on the wire: nothing malformed, in SIP, SDP, RTP, RTCP, SRTP.

One capture of two calls: phones of ours in plain RTP with digits, and baresips with SRTP on the caller's side only.
What is encrypted is opened with the keys that the SDP in the capture tells, as anybody could who sees them.
"""

import base64
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from pylibsrtp import Policy, Session

from santral.bench.foreign.baresip import Baresip
from santral.bench.judge import pitch
from santral.bench.scene.stage import COLLEAGUE, RTP_PORTS, Stage, set_up
from santral.codecs import CODECS

TALK_S = 2.5
CALLER_HZ, CALLEE_HZ = 700, 1100

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


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_up(tmp_path_factory.mktemp("stage"), 'codecs = ["pcma"]\nsrtp = "optional"') as ready:
        yield ready


@pytest.fixture(scope="module")
def wire(
    stage: Stage,
    need: Callable[[str], None],
    lacking: Callable[[str], NoReturn],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """What went over it in both calls."""
    need("tshark")
    need("baresip")
    if os.geteuid() != 0:
        lacking("capturing needs root")
    folder = tmp_path_factory.mktemp("wire")
    says, answers = (str(pitch.write(folder, hz, TALK_S)) for hz in (CALLER_HZ, CALLEE_HZ))
    with capture(folder / "calls.pcapng"):
        with stage.phone("callee", "answer", stage.ports.callee, "--play", answers, "--longest", "25") as callee:
            words = ("--to", stage.uri(COLLEAGUE), "--play", says, "--digits", "159#")
            with stage.phone("caller", "call", stage.ports.caller, *words) as caller:
                caller.story()
            callee.story()
        with (
            Baresip(folder, "callee", stage.ports.callee, Path(answers), user=COLLEAGUE) as far,
            Baresip(folder, "caller", stage.ports.caller, Path(says), srtp="srtp-mand") as near,
        ):
            near.dial(stage.uri(COLLEAGUE))
            near.wait_for("CALL_ESTABLISHED", 8.0)
            time.sleep(TALK_S)
            near.hang_up()
            far.wait_for("CALL_CLOSED", 8.0)
    return folder / "calls.pcapng"


def test_nothing_the_engine_sends_is_malformed(stage: Stage, wire: Path) -> None:
    kinds = Counter(row[0].split(":")[-1] for row in fields(wire, stage, "udp", "frame.protocols"))
    assert kinds["sip"] + kinds["sdp"] >= 14
    assert kinds["rtp"] + kinds["rtpevent"] > 2 * 2 * 50 * (TALK_S - 1)
    broken = fields(wire, stage, "_ws.malformed or _ws.expert.severity >= 8388608", "frame.number", "_ws.col.Info")
    assert broken == []
    digits = fields(wire, stage, "rtpevent", "rtpevent.event_id")
    assert {int(row[0]) for row in digits} >= {1, 5, 9, 11}


def test_reports_say_how_it_sounds_and_goodbye(stage: Stage, wire: Path) -> None:
    """A report of each leg in the clear: SR or RR, SDES, extended (VoIP metrics, RFC 3611 4.7), BYE at the end."""
    reports = fields(
        wire, stage, "rtcp and not srtcp.auth_tag", "udp.srcport", "rtcp.pt", "rtcp.xr.bt", "rtcp.length_check"
    )
    by_port: dict[str, set[str]] = {}
    for port, kinds, block, right in reports:
        by_port.setdefault(port, set()).update(kinds.split(","))
        assert set(right.split(",")) == {"1"}, "lengths do not add up"
        assert block in {"", "7"}
    assert len(by_port) == 3
    for port, kinds in by_port.items():
        assert kinds >= {"202", "203"}, port
        assert kinds & {"200", "201"}, port
    assert any("207" in kinds for kinds in by_port.values())


def keys(wire: Path, stage: Stage) -> bytes:
    """The master key and salt that our SDP told the caller (RFC 4568 6.1)."""
    lines = fields(wire, stage, 'sdp.media_attr contains "crypto"', "sdp.media_attr")
    (text,) = {
        found[1]
        for line in lines
        for found in re.finditer(r"AES_CM_128_HMAC_SHA1_80 inline:([A-Za-z0-9+/=]+)", line[0])
    }
    return base64.b64decode(text)


def test_what_is_encrypted_is_so_and_says_what_it_should(stage: Stage, wire: Path) -> None:
    """Its form as Wireshark sees it; and opened with the key of the SDP, the tone that the callee says."""
    packets = fields(wire, stage, "srtp.auth_tag", "udp.payload", "srtp.auth_tag", "rtp.p_type", "rtp.seq")
    assert len(packets) > 50 * (TALK_S - 1)
    assert {len(tag) // 2 for _, tag, _, _ in packets} == {10}
    opener = Session(Policy(key=keys(wire, stage), ssrc_type=Policy.SSRC_ANY_INBOUND))
    plain = [opener.unprotect(bytes.fromhex(packet)) for packet, *_ in packets]
    heard = np.frombuffer(CODECS["PCMA/8000"].decode(b"".join(one[12:] for one in plain)), np.int16)
    assert pitch.seconds_of(CALLEE_HZ, heard) > TALK_S - 1
    reports = fields(wire, stage, "srtcp.auth_tag", "udp.payload", "srtcp.auth_tag", "srtcp.e", "srtcp.index")
    assert [(len(tag) // 2, flag) for _, tag, flag, _ in reports] == [(10, "1")] * len(reports)
    assert reports
    opened = [kinds_in(opener.unprotect_rtcp(bytes.fromhex(packet))) for packet, *_ in reports]
    assert all(one[0] in {200, 201} and one[1] == 202 for one in opened)
    assert [203 in one for one in opened] == [False] * (len(opened) - 1) + [True]


def kinds_in(compound: bytes) -> list[int]:
    """The packet types of a compound RTCP packet (RFC 3550 6.1)."""
    found = []
    while compound:
        found.append(compound[1])
        compound = compound[4 + 4 * int.from_bytes(compound[2:4]) :]
    return found
