"""SIPp (Debian `sip-tester`) as caller and callee: its built-in scenarios, and ours with audio or with a refusal."""

import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from santral.bench.peer import g711, wav
from santral.bench.ports import HOST
from santral.bench.scene.stage import SceneError

PROGRAM: Final = "sipp"
LONGEST_S: Final = 15

HEADERS: Final = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]a[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{to_tag}
Call-ID: [call_id]
CSeq: {cseq}
Max-Forwards: 70
"""
OFFER: Final = """\
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
"""
EMPTY: Final = "Content-Length: 0\n\n"
INVITE: Final = (
    '<send retrans="500"><![CDATA[\nINVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n'
    + HEADERS.format(to_tag="", cseq="1 INVITE")
    + OFFER
    + ']]></send>\n<recv response="100" optional="true"/>\n<recv response="180" optional="true"/>\n'
    '<recv response="183" optional="true"/>\n'
)


def _in_dialog(method: str, cseq: str, *, repeat: bool) -> str:
    opening = '<send retrans="500">' if repeat else "<send>"
    headers = HEADERS.format(to_tag="[peer_tag_param]", cseq=cseq)
    return f"{opening}<![CDATA[\n{method} [next_url] SIP/2.0\n{headers}[routes]\n{EMPTY}]]></send>\n"


def _scenario(name: str, body: str) -> str:
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n{body}</scenario>\n'


def speaking_scenario(audio: Path, talk_ms: int) -> str:
    """Call, stream `audio` (headerless A-law) once, stay for `talk_ms`, hang up."""
    return _scenario(
        "speak",
        INVITE
        + '<recv response="200" rrs="true"/>\n'
        + _in_dialog("ACK", "1 ACK", repeat=False)
        + f'<nop><action><exec rtp_stream="{audio},1,8"/></action></nop>\n<pause milliseconds="{talk_ms}"/>\n'
        + _in_dialog("BYE", "2 BYE", repeat=True)
        + '<recv response="200"/>\n',
    )


def refused_scenario(status: int) -> str:
    """Call and be refused with `status`; any other answer fails."""
    acknowledge = "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n" + HEADERS.format(
        to_tag="[peer_tag_param]", cseq="1 ACK"
    )
    return _scenario(
        f"refused {status}", f'{INVITE}<recv response="{status}"/>\n<send><![CDATA[\n{acknowledge}{EMPTY}]]></send>\n'
    )


def write_alaw(source: Path, target: Path) -> Path:
    """A mono 8 kHz WAV as the headerless A-law file that `rtp_stream` reads."""
    samples, rate_hz = wav.read(source)
    if rate_hz != wav.RATE_HZ:
        raise ValueError(f"{source}: {rate_hz} Hz")
    target.write_bytes(g711.encode(samples, "PCMA"))
    return target


class Sipp:
    """One SIPp process, a context manager; files go into a folder of its own below `folder`."""

    def __init__(
        self,
        folder: Path,
        name: str,
        port: int,
        *words: str,
        scenario: str = "",
        media_port: int = 0,
        host: str = HOST,
        longest_s: int = LONGEST_S,
    ) -> None:
        self._folder = folder / f"sipp-{name}"
        self._folder.mkdir(parents=True, exist_ok=True)
        chosen = list(words)
        if scenario:
            (self._folder / "scenario.xml").write_text(scenario)
            chosen += ["-sf", "scenario.xml"]
        if media_port:
            chosen += ["-mp", str(media_port)]
        limits = [
            "-nostdin",
            "-timeout",
            f"{longest_s}s",
            "-timeout_error",
            "-trace_msg",
            "-trace_err",
            "-error_file",
            "errors.log",
        ]
        self._words = [PROGRAM, "-i", host, "-mi", host, "-p", str(port), *limits, *chosen]
        self._longest_s = longest_s
        self.name = name

    def __enter__(self) -> Self:
        screen = (self._folder / "screen.log").open("wb")
        with screen:
            self._process = subprocess.Popen(self._words, cwd=self._folder, stdout=screen, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *problem: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def finish(self) -> int:
        """Wait for its end: 0 when every call went as the scenario says. Raises SceneError if it stays."""
        try:
            return self._process.wait(self._longest_s + 10)
        except subprocess.TimeoutExpired:
            raise SceneError(f"SIPp {self.name} does not end") from None

    def complaints(self) -> str:
        """What it wrote about failures."""
        log = self._folder / "errors.log"
        return log.read_text(errors="replace") if log.exists() else ""


def converse(caller: Sipp, callee: Sipp | None = None) -> None:
    """Let a caller call a callee (None: nobody of SIPp's). Raises SceneError with what they complain of."""
    with ExitStack() as stack:
        both = [stack.enter_context(one) for one in (callee, caller) if one is not None]
        ended = [one.finish() for one in reversed(both)]
        if any(ended):
            raise SceneError("\n".join(f"{one.name}: {one.complaints()}" for one in both))
