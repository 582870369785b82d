"""From a configuration to plans, and what a reload cannot change."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from santral.engine.config import changes_needing_restart, load, loads
from santral.engine.config.convert import routing_table, tenant_of
from santral.engine.config.sounds import EMBEDDED_SOUNDS
from santral.routing.plan import CallFacts, DialTrunk, Echo, Plan, Play, Reject, plan
from santral.routing.trunks import Identified, Source, identify

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

TEXT = """
[[tenant]]
name = "acme"
[[tenant]]
name = "globex"
[[trunk]]
name = "carrier"
tenant = "acme"
shared = true
strategy = "weighted"
targets = [{ uri = "sip:192.0.2.1", weight = 3 }, "sip:192.0.2.2;transport=tcp"]
accept_from = ["192.0.2.0/24"]
match_domain = "PBX.example"
match_trunk_group = "TG"
[[number]]
number = "100"
tenant = "globex"
route = "support"
[[route]]
name = "in"
from_trunk = "carrier"
called = "(?P<extension>\\\\d{3})x"
destinations = [
  { trunk = "carrier", called = "0{extension}", timeout = 12.5 },
  { play = "closed.wav" },
  { reject = 486 },
]
[[route]]
name = "support"
tenant = "globex"
from_trunk = "carrier"
destinations = [{ echo = true }]
"""


def decide(text: str, called: str) -> Plan:
    return plan(routing_table(loads(text)), CallFacts("carrier", "acme", "5551112233", called, NOON), draw=0.9)


def test_the_embedded_echo_test_answers_callers_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = routing_table(load())
    source = Source("127.0.0.1", 40000, "udp", "default", "127.0.0.1", "9196")
    assert isinstance(identify(table.entrances, source), Identified)
    assert [type(one) for one in plan(table, CallFacts("local", "local", "me", "9196", NOON)).attempts] == [Echo]
    assert plan(table, CallFacts("local", "local", "me", "9197", NOON)).refusal == 404
    abroad = Source("192.0.2.1", 40000, "udp", "default", "127.0.0.1", "9196")
    assert not isinstance(identify(table.entrances, abroad), Identified)


def test_a_configured_route_becomes_attempts() -> None:
    made = decide(TEXT, "123x")
    assert (made.route, made.tenant) == ("in", "acme")
    dial, play, reject = made.attempts
    assert isinstance(dial, DialTrunk)
    assert (dial.trunk, dial.called, dial.timeout_s) == ("carrier", "0123", 12.5)
    assert dial.targets == ("sip:192.0.2.2;transport=tcp", "sip:192.0.2.1")  # drawn by weight
    assert isinstance(play, Play)
    assert (play.file, play.folder) == (str(EMBEDDED_SOUNDS / "closed.wav"), str(EMBEDDED_SOUNDS))
    assert isinstance(reject, Reject)
    assert reject.status == 486


def test_a_number_of_another_tenant_is_reached_over_the_shared_trunk() -> None:
    made = decide(TEXT, "100")
    assert (made.route, made.tenant) == ("support", "globex")


def test_a_route_s_tenant_is_its_own_or_its_trunk_s() -> None:
    config = loads(TEXT)
    assert [tenant_of(config, route) for route in config.route] == ["acme", "globex"]


def test_discriminators_are_compared_in_lower_case() -> None:
    trunk = routing_table(loads(TEXT)).trunks["carrier"]
    assert trunk.discriminators == (("match_domain", "pbx.example"), ("match_trunk_group", "tg"))


BASE = "[engine]\nnode = 'n'\n"


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("[engine]\nnode = 'm'", "engine.node: n to m"),
        (
            f"{BASE}data_dir = '/d'\ndatabase = 'sqlite:////x/data/santral.db'\n"
            "[control]\nsocket = '/x/data/control.sock'\n[recording]\ndir = '/x/data/recordings'",
            "engine.data_dir: /x/data to /d",
        ),
        (f"{BASE}database = 'sqlite:////other.db'", "engine.database: sqlite:////x/data/santral.db to sqlite:////other.db"),
        (f"{BASE}media_threads = 2", "engine.media_threads: 0 to 2"),
        (f"{BASE}[control]\nsocket = '/s'", "control.socket: /x/data/control.sock to /s"),
        (
            f"{BASE}[[control.token]]\nname = 'a'\nsecret = 's'\nscopes = ['admin']\n[control]\ntcp = '127.0.0.1:1'",
            "control.tcp: nothing to 127.0.0.1:1",
        ),
        (f"{BASE}[metrics]\nlisten = '127.0.0.1:2'", "metrics: switched on"),
        (
            f"{BASE}[sip]\nlisten = ['udp:127.0.0.1:5070']",
            "sip.listen: udp:127.0.0.1:5060, tcp:127.0.0.1:5060 to udp:127.0.0.1:5070",
        ),
        (f"{BASE}[sip]\nadvertise = '192.0.2.1'", "sip.advertise: nothing to 192.0.2.1"),
        (f"{BASE}[rtp]\naddress = '127.0.0.2'", "rtp.address: 127.0.0.1 to 127.0.0.2"),
        (f"{BASE}[rtp]\nports = '40000-50001'", "rtp.ports: 20000-29999 to 40000-50001"),
        (f"{BASE}[rtp]\ntimeout = 5", "rtp.timeout: 60 to 5"),
        (
            f"{BASE}[sip]\nlisten = ['udp:127.0.0.1:5060', 'tcp:127.0.0.1:5060']\n"
            "[[interface]]\nname = 'lan'\nsip = ['udp:10.0.0.1:5060']\nrtp = '10.0.0.1'",
            "interface lan: added",
        ),
    ],
)  # fmt: skip
def test_what_takes_a_restart(new: str, said: str) -> None:
    folder = Path("/x")
    old, fresh = loads(BASE, folder=folder), loads(new, folder=folder)
    assert changes_needing_restart(old, fresh) == [said]
    assert changes_needing_restart(fresh, fresh) == []
    assert len(changes_needing_restart(fresh, old)) == 1


def test_an_interface_that_changes() -> None:
    text = "[[interface]]\nname = 'lan'\nsip = ['udp:10.0.0.1:5060']\nrtp = '10.0.0.{}'"
    old, new = loads(BASE + text.format(1)), loads(BASE + text.format(2))
    assert changes_needing_restart(old, new) == ["interface lan.rtp: 10.0.0.1 to 10.0.0.2"]
    assert changes_needing_restart(new, new) == []


def test_what_a_reload_takes_over() -> None:
    new = f"{BASE}drain_timeout = 3\n[sip]\nmax_calls = 5\n{TEXT}"
    assert changes_needing_restart(loads(BASE), loads(new)) == []
