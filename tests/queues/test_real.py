"""Twenty agents on SIPp, two hundred callers on SIPp, four more on baresip who keep what they hear, two queues: all
wait and hear the announcement, then everybody is answered by the right agent, whatever three broken phones do; the
engine's figures are what the callers measured.
"""

import asyncio
import csv
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from tests.queues.conftest import told, until

from santral.bench.foreign.ears import Ears, is_there
from santral.bench.foreign.sipp import EMPTY, INVITE, Sipp, _in_dialog, _scenario
from santral.bench.peer import g711, wav

QUEUES = ("support", "sales")
CALLERS, EARS = 100, 2  # of each queue
AGENTS = 10
RATE = 60  # calls per second, of each queue
RING_MS, TALK_MS, WRAP_S = 50, 400, 0.2
LONGEST_S = 50
MUSIC_HZ, AGENT_HZ = 500, 1900
SAYS_HZ, SAYS_S = (700, 1100, 1500), 0.25  # the announcement: three tones, one after the other

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
m=audio [rtpstream_audio_port] RTP/AVP 8
"""
BYE_OF_UAS = (
    "BYE [next_url] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
    "From: [$1];tag=[pid]b[call_number]\nTo: [$2]\nCall-ID: [call_id]\nCSeq: 7 BYE\nMax-Forwards: 70\n"
)
RINGING = '<recv request="INVITE" rrs="true"><action><ereg regexp=".*" search_in="hdr" header="To:" assign_to="1"/>' \
    '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="2"/></action></recv>\n' \
    f'<send><![CDATA[\n{ANSWER.format(status="180 Ringing")}{EMPTY}]]></send>\n'  # fmt: skip
AGENT = _scenario(  # {says}: what it says, headerless A-law
    "agent",
    RINGING
    + f'<pause milliseconds="{RING_MS}"/>\n'
    + f'<send retrans="500"><![CDATA[\n{ANSWER.format(status="200 OK")}{SDP}]]></send>\n'
    + '<recv request="ACK"/>\n<nop><action><exec rtp_stream="{says},1,8"/></action></nop>\n'
    + f'<pause milliseconds="{TALK_MS}"/>\n'
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
sounds = "{folder}/sounds"
[[trunk]]
name = "carrier"
tenant = "acme"
accept_from = ["127.0.0.3", "127.0.0.1/32:{ears}"]
codecs = ["pcma"]
[[queue]]
name = "support"
tenant = "acme"
ring_timeout = 2
retry_delay = 60
wrap_up = {wrap_up}
{hears}
[[queue]]
name = "sales"
tenant = "acme"
strategy = "round_robin"
ring_timeout = 2
retry_delay = 60
wrap_up = {wrap_up}
{hears}
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
"""
HEARS = 'music = "music.wav"\nannounce = { first = 0.3, every = 600, position = false, files = ["says.wav"] }'


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


def tone(hz: float, seconds: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    time = np.arange(round(wav.RATE_HZ * seconds)) / wav.RATE_HZ
    return np.asarray(8000 * np.sin(2 * np.pi * hz * time), np.int16)


def write_sounds(folder: Path) -> None:
    (folder / "sounds").mkdir()
    wav.write(folder / "sounds" / "music.wav", tone(MUSIC_HZ, 2.0))
    wav.write(folder / "sounds" / "says.wav", np.concatenate([tone(hz, SAYS_S) for hz in SAYS_HZ]))
    (folder / "agent.alaw").write_bytes(g711.encode(tone(AGENT_HZ, TALK_MS / 1000), "PCMA"))


async def test_everybody_is_answered_by_the_right_agent(
    start: Callable[..., Awaitable[Any]],
    need: Callable[[str], None],
    lacking: Callable[[str], NoReturn],
    tmp_path: Path,
    phones: ExitStack,
) -> None:
    need("sipp")
    if not is_there():
        lacking("baresip-python is not installed (the extra `peers`)")
    write_sounds(tmp_path)
    ports = dict(zip((*QUEUES, "refuses", "silent", "dies"), free_ports("127.0.0.2", 5), strict=True))
    names = {queue: [f"{queue}-{n}" for n in range(AGENTS)] for queue in QUEUES}
    agents = [ONE.format(name=name, port=ports[queue], queue=queue) for queue in QUEUES for name in names[queue]]
    agents += [ONE.format(name=name, port=ports[name], queue="support") for name in ("refuses", "silent", "dies")]
    (ears_port,) = free_ports("127.0.0.1", 1)
    bench = await start(config=CONFIG, agents="".join(agents), wrap_up=WRAP_S, hears=HEARS, ears=ears_port)
    engine = f"127.0.0.1:{bench.left.engine[1]}"

    def run(name: str, port: int, *words: str, scenario: str, host: str = "127.0.0.2") -> Sipp:
        made = Sipp(tmp_path, name, port, *words, scenario=scenario, host=host, longest_s=LONGEST_S)
        return phones.enter_context(made)

    agent = AGENT.format(says=tmp_path / "agent.alaw")
    answering = {queue: run(queue, ports[queue], "-m", str(CALLERS + EARS), scenario=agent) for queue in QUEUES}
    run("refuses", ports["refuses"], scenario=REFUSES)
    run("silent", ports["silent"], scenario=SILENT)
    dying = run("dies", ports["dies"], scenario=SILENT)
    ears = phones.enter_context(Ears(tmp_path, ears_port, engine, *QUEUES * EARS))
    words = ("-m", str(CALLERS), "-l", str(CALLERS), "-r", str(RATE), "-trace_rtt", "-rtt_freq", "1", engine)
    callers = {
        queue: run(f"callers-{queue}", port, "-s", queue, *words, scenario=CALLER, host="127.0.0.3")
        for queue, port in zip(QUEUES, free_ports("127.0.0.3", 2), strict=True)
    }
    ours, everybody = bench.engine.queues, len(QUEUES) * (CALLERS + EARS)
    await until(lambda: len({one["work"] for one in told(bench, "queue.announced")}) == everybody, within=LONGEST_S)
    await asyncio.sleep(SAYS_S * len(SAYS_HZ) + 0.5)  # until the last has heard it to its end
    for name in ours.acd.agents:
        ours.desk.login(name)
    await until(lambda: ours.distributor.agent("dies", ours.now).state == "ringing", within=LONGEST_S)
    dying.__exit__()
    for one in (*callers.values(), *answering.values()):
        assert await asyncio.to_thread(one.finish) == 0, f"{one.name}: {one.complaints()[-2000:]}"
    heard = await asyncio.to_thread(ears.finish, LONGEST_S)
    await until(lambda: not list(bench.engine.calls()) and not ours.held, within=LONGEST_S)
    connected = told(bench, "reservation.connected")
    assert len(connected) == everybody == len({one["call"] for one in connected})
    assert all(one["agent"] in names[one["queue"]] for one in connected)
    assert {one["agent"] for one in told(bench, "reservation.timed_out")} == {"silent", "dies"}
    assert {one["agent"]: one["cause"] for one in told(bench, "reservation.refused")} == {"refuses": "refused"}
    check_wrap_up(bench)
    left = [ours.calls, ours.by_leg, ours.works()]
    assert not any(left), left
    for one in heard:
        ends = [*map(str, SAYS_HZ), "music", "agent"]
        assert story(one.audio) in (ends, ["music", *ends]), one  # a phone may begin to listen late
    for queue in QUEUES:
        measured = [float(row[1]) / 1000 for row in rtt_of(tmp_path / f"sipp-callers-{queue}")]
        measured += [one.seconds for one in heard if one.name == queue]
        check_figures(ours.counting.queue(queue, None, None, None), measured)


def check_figures(figures: dict[str, Any], measured: list[float]) -> None:
    """The engine's are the callers' own: from each one's 200 to its BYE."""
    count = CALLERS + EARS
    assert (figures["offered"], figures["answered"], figures["abandoned"]) == (count, count, 0)
    assert len(measured) == count
    counted = figures["wait_answered"] + figures["talk"]
    assert abs(counted - sum(measured)) / count < 0.1, (counted / count, sum(measured) / count)


def story(audio: np.ndarray[Any, np.dtype[np.int16]]) -> list[str]:
    """What is heard for 100 ms and longer, in this order; a moment of something else in between is lost packets."""
    names = {MUSIC_HZ: "music", AGENT_HZ: "agent", **{hz: str(hz) for hz in SAYS_HZ}}
    size = wav.RATE_HZ // 50
    turns = {hz: np.hanning(size) * np.exp(-2j * np.pi * hz * np.arange(size) / wav.RATE_HZ) for hz in names}
    found: list[tuple[str, int]] = []  # and for how many frames
    for at in range(0, len(audio) - size, size):
        loud = {hz: float(abs(np.sum(audio[at : at + size] * turn))) * 4 / size for hz, turn in turns.items()}
        hz = max(loud, key=lambda one: loud[one])
        name = names[hz] if loud[hz] > 3000 else "-"
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + 1)
        else:
            found.append((name, 1))
    lasting = [name for name, frames in found if frames >= 5 and name != "-"]
    return [name for n, name in enumerate(lasting) if n == 0 or lasting[n - 1] != name]


def rtt_of(folder: Path) -> list[list[str]]:
    (file,) = folder.glob("*rtt.csv")
    return [
        row
        for row in csv.reader(file.read_text().splitlines(), delimiter=";")
        if len(row) >= 3 and row[1][:1].isdigit()
    ]


def check_wrap_up(bench: Any) -> None:
    """Nobody is rung before its wrap-up is over, and that takes its time. Events are in order; their moments are when
    they were told, which a busy engine comes to later.
    """
    wrapping: set[str] = set()
    for event in told(bench, "reservation.created", "reservation.wrapping", "reservation.completed"):
        agent = event["agent"]
        match event["type"]:
            case "reservation.wrapping":
                wrapping.add(agent)
            case "reservation.completed":
                wrapping.remove(agent)
                assert event["wrap"] >= WRAP_S, event
            case _:
                assert agent not in wrapping, event
