"""Twenty agents on SIPp, two hundred callers on SIPp, two queues: everybody is answered by the right agent, whatever
three broken phones do; the engine's figures are what the callers measured.
"""

import asyncio
import csv
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.queues.conftest import told, until

from santral.bench.foreign.sipp import EMPTY, INVITE, Sipp, _in_dialog, _scenario

CALLERS = 100  # of each queue
AGENTS = 10
RATE = 10  # calls per second, of each queue
RING_MS, TALK_MS, WRAP_S = 50, 400, 0.2
LONGEST_S = 50

ANSWER = """\
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]b[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agent@[local_ip]:[local_port]>
"""
SDP = """\
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
"""
BYE_OF_UAS = (
    "BYE [next_url] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
    "From: [$1];tag=[pid]b[call_number]\nTo: [$2]\nCall-ID: [call_id]\nCSeq: 7 BYE\nMax-Forwards: 70\n"
)
RINGING = '<recv request="INVITE" rrs="true"><action><ereg regexp=".*" search_in="hdr" header="To:" assign_to="1"/>' \
    '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="2"/></action></recv>\n' \
    f'<send><![CDATA[\n{ANSWER.format(status="180 Ringing")}{EMPTY}]]></send>\n'  # fmt: skip
AGENT = _scenario(
    "agent",
    RINGING
    + f'<pause milliseconds="{RING_MS}"/>\n'
    + f'<send retrans="500"><![CDATA[\n{ANSWER.format(status="200 OK")}{SDP}]]></send>\n'
    + f'<recv request="ACK"/>\n<pause milliseconds="{TALK_MS}"/>\n'
    + f'<send retrans="500"><![CDATA[\n{BYE_OF_UAS}{EMPTY}]]></send>\n<recv response="200"/>\n',
)
REFUSES = _scenario(
    "refuses",
    '<recv request="INVITE"/>\n'
    f'<send retrans="500"><![CDATA[\n{ANSWER.format(status="603 Decline")}{EMPTY}]]></send>\n<recv request="ACK"/>\n',
)
SILENT = _scenario(
    "silent",
    '<recv request="INVITE"/>\n'
    f"<send><![CDATA[\n{ANSWER.format(status='180 Ringing')}{EMPTY}]]></send>\n"
    '<pause milliseconds="60000"/>\n',
)
CALLER = _scenario(
    "caller",
    INVITE
    + '<recv response="200" rrs="true" start_rtd="1"/>\n'
    + _in_dialog("ACK", "1 ACK", repeat=False)
    + '<recv request="BYE" rtd="1"/>\n'
    + "<send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
    + f"{EMPTY}]]></send>\n",
)
CONFIG = """
[engine]
node = "test"
data_dir = "{folder}/data"
[sip]
listen = ["udp:127.0.0.1:0"]
dial_networks = ["127.0.0.2/32"]
[rtp]
ports = "0"
[[tenant]]
name = "acme"
[[trunk]]
name = "carrier"
tenant = "acme"
accept_from = ["127.0.0.3"]
codecs = ["pcma"]
[[queue]]
name = "support"
tenant = "acme"
ring_timeout = 2
retry_delay = 60
wrap_up = {wrap_up}
[[queue]]
name = "sales"
tenant = "acme"
strategy = "round_robin"
ring_timeout = 2
retry_delay = 60
wrap_up = {wrap_up}
{agents}
[[route]]
name = "support"
from_trunk = "carrier"
called = "support"
destinations = [{{ queue = "support" }}]
[[route]]
name = "sales"
from_trunk = "carrier"
called = "sales"
destinations = [{{ queue = "sales" }}]
"""
ONE = """
[[agent]]
name = "{name}"
tenant = "acme"
endpoint = "sip:{name}@127.0.0.2:{port}"
queues = ["{queue}"]
logged_in = true
"""


def free_ports(host: str, count: int) -> list[int]:
    opened = []
    for _ in range(count):
        opened.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        opened[-1].bind((host, 0))
    ports = [int(one.getsockname()[1]) for one in opened]
    for one in opened:
        one.close()
    return ports


@pytest.fixture
def phones() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def when(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["at"]).timestamp()


async def test_everybody_is_answered_by_the_right_agent(
    start: Callable[..., Awaitable[Any]], need: Callable[[str], None], tmp_path: Path, phones: ExitStack
) -> None:
    need("sipp")
    queues = ("support", "sales")
    ports = dict(zip((*queues, "refuses", "silent", "dies"), free_ports("127.0.0.2", 5), strict=True))
    names = {queue: [f"{queue}-{n}" for n in range(AGENTS)] for queue in queues}
    agents = [ONE.format(name=name, port=ports[queue], queue=queue) for queue in queues for name in names[queue]]
    agents += [ONE.format(name=name, port=ports[name], queue="support") for name in ("refuses", "silent", "dies")]
    bench = await start(config=CONFIG, agents="".join(agents), wrap_up=WRAP_S)
    engine = f"127.0.0.1:{bench.left.engine[1]}"

    def run(name: str, port: int, *words: str, scenario: str, host: str = "127.0.0.2") -> Sipp:
        made = Sipp(tmp_path, name, port, *words, scenario=scenario, host=host, longest_s=LONGEST_S)
        return phones.enter_context(made)

    answering = {queue: run(queue, ports[queue], "-m", str(CALLERS), scenario=AGENT) for queue in queues}
    run("refuses", ports["refuses"], scenario=REFUSES)
    run("silent", ports["silent"], scenario=SILENT)
    dying = run("dies", ports["dies"], scenario=SILENT)
    words = ("-m", str(CALLERS), "-r", str(RATE), "-trace_rtt", "-rtt_freq", "1", engine)
    callers = {
        queue: run(f"callers-{queue}", port, "-s", queue, *words, scenario=CALLER, host="127.0.0.3")
        for queue, port in zip(queues, free_ports("127.0.0.3", 2), strict=True)
    }
    ours = bench.engine.queues
    await until(lambda: ours.distributor.agent("dies", ours.now).state == "ringing", within=10)
    dying.__exit__()
    for one in (*callers.values(), *answering.values()):
        assert await asyncio.to_thread(one.finish) == 0, f"{one.name}: {one.complaints()[-2000:]}"
    await until(lambda: not list(bench.engine.calls()), within=10)
    connected = told(bench, "reservation.connected")
    assert len(connected) == 2 * CALLERS == len({one["call"] for one in connected})
    assert all(one["agent"] in names[one["queue"]] for one in connected)
    assert {one["agent"] for one in told(bench, "reservation.timed_out")} == {"silent", "dies"}
    assert {one["agent"]: one["cause"] for one in told(bench, "reservation.refused")} == {"refuses": "refused"}
    check_wrap_up(bench)
    await until(lambda: not ours.held)
    left = [ours.calls, ours.by_leg, ours.works()]
    assert not any(left), left
    for queue in queues:
        figures = ours.counting.queue(queue, None, None, None)
        assert (figures["offered"], figures["answered"], figures["abandoned"]) == (CALLERS, CALLERS, 0)
        measured = [float(row[1]) / 1000 for row in rtt_of(tmp_path / f"sipp-callers-{queue}")]
        assert len(measured) == CALLERS
        counted = figures["wait_answered"] + figures["talk"]  # from the caller's 200 to its BYE
        assert abs(counted - sum(measured)) / CALLERS < 0.05, (counted / CALLERS, sum(measured) / CALLERS)


def rtt_of(folder: Path) -> list[list[str]]:
    (file,) = folder.glob("*rtt.csv")
    return [
        row
        for row in csv.reader(file.read_text().splitlines(), delimiter=";")
        if len(row) >= 3 and row[1][:1].isdigit()
    ]


def check_wrap_up(bench: Any) -> None:
    """Nobody is rung before its wrap-up is over."""
    left: dict[str, float] = {}
    for event in told(bench, "reservation.created", "reservation.wrapping"):
        if event["type"] == "reservation.wrapping":
            left[event["agent"]] = when(event)
        elif event["agent"] in left:
            assert when(event) - left[event["agent"]] >= WRAP_S - 0.002, event
