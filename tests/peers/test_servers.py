"""Other people's servers in the path: Kamailio before and behind us, sippy's B2BUA in a chain with ours."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from santral.bench.foreign import servers
from santral.bench.foreign.exchange import Exchange, serving
from santral.bench.foreign.flow import Flow
from santral.bench.foreign.sipp import Sipp, converse
from santral.bench.judge import pitch
from santral.bench.ports import HOST, free_block, free_ports
from santral.bench.scene.stage import PhoneProcess

CONFIG = """
[engine]
node = "chain"
data_dir = "data"
drain_timeout = 1
[sip]
listen = ["udp:{host}:{sip}"]
[rtp]
address = "{host}"
ports = "{rtp}-{rtp_last}"
[[tenant]]
name = "acme"
[[trunk]]
name = "near"
tenant = "acme"
accept_from = ["{host}/32:{near}", "{host}/32:{proxy}", "{host}/32:{before}"]
[[trunk]]
name = "proxy"
tenant = "acme"
targets = ["sip:{host}:{proxy}"]
options_interval = 0
[[trunk]]
name = "behind"
tenant = "acme"
targets = ["sip:{host}:{behind}"]
options_interval = 0
[[trunk]]
name = "far"
tenant = "acme"
targets = ["sip:{host}:{far}"]
options_interval = 0
[[route]]
name = "to-proxy"
from_trunk = "near"
called = "1001"
destinations = [{{ trunk = "proxy" }}]
[[route]]
name = "to-sippy"
from_trunk = "near"
called = "2001"
destinations = [{{ trunk = "behind" }}]
[[route]]
name = "to-far"
from_trunk = "near"
called = "3001"
destinations = [{{ trunk = "far" }}]
"""
RTP_PORTS = 40
CALLER_HZ, CALLEE_HZ = 700, 1100
TALK_S = 2.0
CALLER_SENDS = {"INVITE": 2, "ACK": 2, "BYE": 1}  # an INVITE and a re-INVITE, ended by it


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """One engine for the tests of this module."""
    names = ("sip", "near", "proxy", "before", "behind", "far")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    rtp = free_block(RTP_PORTS)
    ports |= {"rtp": rtp, "rtp_last": rtp + RTP_PORTS - 1}
    with serving(tmp_path_factory.mktemp("chain"), CONFIG, host=HOST, **ports) as ready:
        yield ready


@pytest.fixture(autouse=True)
def _sipp(need: Callable[[str], None]) -> None:
    need("sipp")


@pytest.fixture
def _sippy(lacking: Callable[[str], NoReturn]) -> None:
    if not shutil.which("b2bua_simple", path=str(Path(sys.executable).parent)):
        lacking("sippy is not installed (the extra `peers`)")


def caller(*, hangs_up: bool) -> Flow:
    flow = Flow.caller("caller").send("INVITE", sdp="sendrecv").expect(200).send("ACK").pause(200)
    flow.send("INVITE", sdp="sendonly").expect(200, "a=recvonly").send("ACK").pause(200)
    return flow.send("BYE").expect(200) if hangs_up else flow.expect("BYE").answer(200)


def callee(*, hangs_up: bool, routed: bool = False) -> Flow:
    flow = Flow.callee("callee", routed=routed).expect("INVITE").answer(180, invite=True)
    flow.answer(200, sdp="sendrecv", invite=True).expect("ACK")
    flow.expect("INVITE", "a=sendonly").answer(200, sdp="recvonly").expect("ACK").pause(300 * hangs_up)
    return flow.send("BYE").expect(200) if hangs_up else flow.expect("BYE").answer(200)


def play(exchange: Exchange, folder: Path, near: Flow, far: Flow) -> dict[str, Any]:
    """A call through the proxy."""
    at = exchange.at
    exchange.forget()
    words = (f"{HOST}:{at['proxy']}", "-s", "1001", "-m", "1")
    converse(
        Sipp(folder, "caller", at["near"], *words, scenario=str(near), media_port=free_block(10)),
        Sipp(folder, "callee", at["far"], "-m", "1", scenario=str(far), media_port=free_block(10)),
    )
    return exchange.record()


@pytest.mark.parametrize("hangs_up", ["caller", "callee"])
@pytest.mark.parametrize("routing", ["loose", "strict"])
def test_what_follows_goes_through_the_proxy_too(
    exchange: Exchange, need: Callable[[str], None], tmp_path: Path, routing: str, hangs_up: str
) -> None:
    """SIPp calls Kamailio, which asks us, and we ask Kamailio again: it sees every request of both dialogs."""
    need("kamailio")
    at = exchange.at
    near, far = caller(hangs_up=hangs_up == "caller"), callee(hangs_up=hangs_up == "callee", routed=True)
    with servers.kamailio(tmp_path, at["proxy"], engine=at["sip"], callee=at["far"], routing=routing) as proxy:
        record = play(exchange, tmp_path, near, far)
        assert proxy.passed() == {method: 2 * count for method, count in CALLER_SENDS.items()}
    assert (record["status"], record["hung_up_by"], record["trunk_out"]) == (200, hangs_up, "proxy")


def speak(exchange: Exchange, folder: Path, number: str, onto: str) -> dict[str, Any]:
    """Phones of ours talk to each other: each hears what the other said."""
    at = exchange.at
    answers, says = pitch.write(folder, CALLEE_HZ, TALK_S), pitch.write(folder, CALLER_HZ, TALK_S + 0.5)
    far = ["answer", "--listen", f"{HOST}:{at['far']}", "--play", str(answers), "--longest", "20"]
    near = ["call", "--listen", f"{HOST}:{at['near']}", "--to", f"sip:{number}@{HOST}:{at[onto]}"]
    near += ["--play", str(says), "--longest", "20"]  # it hangs up at the end of it
    with PhoneProcess(folder, "far", far) as answering, PhoneProcess(folder, "near", near) as calling:
        by_caller, by_callee = calling.story(), answering.story()
    assert pitch.seconds_of(CALLEE_HZ, by_caller.heard) > TALK_S - 0.5
    assert pitch.seconds_of(CALLER_HZ, by_callee.heard) > TALK_S - 0.5
    return exchange.record()


def beside_sippy(flow: Flow, port: int) -> str:
    """sippy knows no UDP in capitals, and SIPp reads no name before a Contact: it is told whom it talks to."""
    return str(flow).replace(";transport=[transport]", "").replace("[next_url]", f"sip:{HOST}:{port}")


@pytest.mark.usefixtures("_sippy")
@pytest.mark.parametrize("hangs_up", ["caller", "callee"])
@pytest.mark.parametrize("stands", ["behind", "before"])
def test_hold_crosses_both_b2buas(exchange: Exchange, tmp_path: Path, stands: str, hangs_up: str) -> None:
    """A re-INVITE of the caller's reaches the callee through sippy's B2BUA and ours, and its answer comes back."""
    at = exchange.at
    exchange.forget()
    number, onto, onward = ("2001", "sip", "far") if stands == "behind" else ("3001", "before", "sip")
    words = (f"{HOST}:{at[onto]}", "-s", number, "-m", "1")
    near = beside_sippy(caller(hangs_up=hangs_up == "caller"), at[onto])
    far = beside_sippy(callee(hangs_up=hangs_up == "callee"), at["behind" if stands == "behind" else "sip"])
    with servers.sippy_b2bua(tmp_path, at[stands], onward=at[onward]):
        converse(
            Sipp(tmp_path, "caller", at["near"], *words, scenario=near, media_port=free_block(10)),
            Sipp(tmp_path, "callee", at["far"], "-m", "1", scenario=far, media_port=free_block(10)),
        )
        record = exchange.record()
    assert (record["cause"], record["status"], record["hung_up_by"]) == ("normal", 200, hangs_up)


@pytest.mark.usefixtures("_sippy")
def test_sippy_behind_us(exchange: Exchange, tmp_path: Path) -> None:
    at = exchange.at
    exchange.forget()
    with servers.sippy_b2bua(tmp_path, at["behind"], onward=at["far"]):
        record = speak(exchange, tmp_path, "2001", "sip")
    assert (record["cause"], record["status"], record["trunk_out"]) == ("normal", 200, "behind")
    assert [leg["status"] for leg in record["legs"]] == [200, 200]


@pytest.mark.usefixtures("_sippy")
def test_sippy_before_us(exchange: Exchange, tmp_path: Path) -> None:
    at = exchange.at
    exchange.forget()
    with servers.sippy_b2bua(tmp_path, at["before"], onward=at["sip"]):
        record = speak(exchange, tmp_path, "3001", "before")
    assert (record["cause"], record["status"], record["trunk_in"]) == ("normal", 200, "near")
    assert [leg["status"] for leg in record["legs"]] == [200, 200]
