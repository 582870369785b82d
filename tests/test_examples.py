"""Everything in examples/ at work: engines run on the configurations, calls go through, the client follows them."""

import contextlib
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "src")}
PATIENCE_S = 15.0
SPOKEN = bytes(range(160))  # 20 ms of something, sent as PCMU


class Phone:
    """A SIP and an RTP socket on one loopback address, each message written by hand."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.sip, self.rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self.sip, self.rtp):
            each.bind((host, 0))
            each.settimeout(PATIENCE_S)
        self.port = self.sip.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sip.close()
        self.rtp.close()

    def sdp(self) -> str:
        address = f"IN IP4 {self.host}"
        port = self.rtp.getsockname()[1]
        return f"v=0\r\no=- 1 1 {address}\r\ns=-\r\nc={address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"

    def request(self, engine: tuple[str, int], method: str, called: str, to: str = "", body: str = "") -> None:
        number = 2 if method == "BYE" else 1
        text = (
            f"{method} sip:{called}@{engine[0]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK-{method}-{called}\r\n"
            f"From: <sip:101@{self.host}>;tag=ours\r\nTo: {to or f'<sip:{called}@{engine[0]}>'}\r\n"
            f"Call-ID: {called}@{self.host}:{self.port}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:101@{self.host}:{self.port}>\r\n"
        )
        self.sip.sendto((text + content(body)).encode(), engine)

    def hear(self, *starts: str) -> str:
        """The next message that begins so; what else comes is passed over."""
        while not (text := self.sip.recv(65536).decode()).startswith(starts):
            pass
        return text

    def hear_audio(self) -> bytes:
        """The payload of the next packet that has one; the engine opens its path with an empty one (RFC 6263)."""
        while not (payload := self.rtp.recv(2048)[12:]):
            pass
        return payload

    def answer(self, request: str, status: str, body: str = "") -> None:
        lines = [line for line in request.splitlines() if re.match(r"(?:Via|From|To|Call-ID|CSeq):", line)]
        lines = [f"{line};tag=theirs" if line.startswith("To:") and "tag=" not in line else line for line in lines]
        head = "\r\n".join([f"SIP/2.0 {status}", *lines, f"Contact: <sip:x@{self.host}:{self.port}>"])
        via = re.search(r"^Via: SIP/2\.0/UDP ([\d.]+):(\d+)", request, re.MULTILINE)
        assert via is not None
        self.sip.sendto(f"{head}\r\n{content(body)}".encode(), (via[1], int(via[2])))


def content(body: str) -> str:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"


def header(message: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*?)\r?$", message, re.MULTILINE)
    assert found is not None, message
    return found[1]


def audio_of(message: str) -> tuple[str, int]:
    address, port = (
        re.search(r"^c=IN IP4 (\S+)", message, re.MULTILINE),
        re.search(r"^m=audio (\d+)", message, re.MULTILINE),
    )
    assert address is not None
    assert port is not None
    return address[1], int(port[1])


@contextlib.contextmanager
def engine(folder: Path, text: str) -> Iterator[tuple[str, int]]:
    """`santral serve` on this configuration; yields where it takes SIP over UDP."""
    (folder / "santral.toml").write_text(text)
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "santral.engine.cli", "serve"],
            cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    assert child.stdout is not None
    try:
        said = ""
        for line in child.stdout:
            said += line
            if line == "ready\n":
                break
        found = re.search(r"udp:([\d.]+):(\d+)", said)
        assert found is not None, (folder / "log").read_text()
        yield found[1], int(found[2])
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def moved(name: str, places: dict[str, str]) -> str:
    """An example with its addresses replaced by ones this machine has; each must be there."""
    text = (EXAMPLES / name).read_text()
    for old, new in places.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[tuple[str, int]]:
    with engine(tmp_path, moved("echo.toml", {"127.0.0.1:5060": "127.0.0.1:0"})) as address:
        yield address


def call(phone: Phone, address: tuple[str, int], called: str) -> tuple[str, str]:
    """Call and acknowledge; the 200 and its To."""
    phone.request(address, "INVITE", called, body=phone.sdp())
    answer = phone.hear("SIP/2.0 200", "SIP/2.0 4", "SIP/2.0 5")
    assert answer.startswith("SIP/2.0 200"), answer
    to = header(answer, "To")
    phone.request(address, "ACK", called, to)
    return answer, to


def test_echo_toml_echoes(echo: tuple[str, int]) -> None:
    with Phone("127.0.0.1") as phone:
        answer, to = call(phone, echo, "9196")
        for sequence in range(10):
            packet = struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, 7) + SPOKEN
            phone.rtp.sendto(packet, audio_of(answer))
            time.sleep(0.02)
        assert phone.hear_audio() == SPOKEN
        phone.request(echo, "BYE", "9196", to)
        phone.hear("SIP/2.0 200")


def test_echo_toml_announces(echo: tuple[str, int]) -> None:
    with Phone("127.0.0.1") as phone:
        call(phone, echo, "9197")
        assert len(phone.hear_audio()) == 160


def test_two_trunks_toml_bridges_and_takes_the_second_target(tmp_path: Path) -> None:
    with Phone("127.0.0.20") as pbx, Phone("127.0.1.1") as first, Phone("127.0.1.2") as second:
        places = {
            "192.0.2.10:5060": "127.0.0.10:0",
            "192.0.2.10": "127.0.0.10",
            "192.0.2.20/32": "127.0.0.20/32",
            "sip:192.0.2.20": f"sip:127.0.0.20:{pbx.port}",
            "sip:198.51.100.1": f"sip:127.0.1.1:{first.port}",
            "sip:198.51.100.2": f"sip:127.0.1.2:{second.port}",
            "198.51.100.0/24": "127.0.1.0/24",
        }
        with engine(tmp_path, moved("two-trunks.toml", places)) as address:
            pbx.request(address, "INVITE", "+4930123456", body=pbx.sdp())
            first.answer(first.hear("INVITE sip:+4930123456@"), "503 Service Unavailable")
            second.answer(second.hear("INVITE sip:+4930123456@"), "200 OK", second.sdp())
            answer = pbx.hear("SIP/2.0 200")
            assert audio_of(answer)[0] == "127.0.0.10"
            to = header(answer, "To")
            pbx.request(address, "ACK", "+4930123456", to)
            second.hear("ACK")
            pbx.request(address, "BYE", "+4930123456", to)
            pbx.hear("SIP/2.0 200")
            second.hear("BYE")


def test_control_py_lists_calls_and_follows_events(echo: tuple[str, int], tmp_path: Path) -> None:
    follower = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "control.py"), "data/control.sock"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert follower.stdout is not None
    try:
        listed, subscribed = follower.stdout.readline(), follower.stdout.readline()
        assert listed.startswith("1 1 None {'items': []")
        assert subscribed.startswith("1 2 None ")
        with Phone("127.0.0.1") as phone:
            call(phone, echo, "9196")
            event = follower.stdout.readline()
        assert event.startswith("2 event [{")
        assert "'call.started'" in event
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()


def test_control_py_is_ten_lines_and_needs_msgpack_only() -> None:
    text = (EXAMPLES / "control.py").read_text().partition('"""\n')[2]
    imported = {line.split()[1] for line in text.splitlines() if line.startswith("import ")}
    assert imported - set(sys.stdlib_module_names) == {"msgpack"}
    statements = [line for line in text.splitlines() if line and not line.startswith("import ")]
    assert len(statements) <= 10


def test_every_example_is_tested() -> None:
    text = Path(__file__).read_text()
    assert all(f'"{path.name}"' in text for path in EXAMPLES.iterdir() if path.is_file())
