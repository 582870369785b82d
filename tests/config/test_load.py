"""Reading: which file, what it means, and what is filled in."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from santral.engine import supply
from santral.engine.config import ConfigError, find, load, loads
from santral.engine.config.convert import routing_table, routing_trunk
from santral.engine.config.not_yet import KEYS, VALUES
from santral.engine.config.sounds import EMBEDDED_SOUNDS, PLAYABLE, SoundError, find_sound
from santral.engine.config.tables.base import DEFAULT_INTERFACE
from santral.engine.config.values import HostPort, Listen
from santral.engine.media.audio import FORMATS
from santral.routing.routes import RoutingTable
from santral.sip.transport import TlsSettings

TENANT = "[[tenant]]\nname = 'acme'\n"
TRUNK = f"{TENANT}[[trunk]]\nname = 'a'\ntenant = 'acme'\naccept_from = ['10.0.0.1']\n"
TOKEN = "[[control.token]]\nname = 'a'\nscopes = ['admin']\n"


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_the_embedded_defaults_serve_loopback(away: Path) -> None:
    assert find() is None
    config = load()
    assert config.source == "embedded defaults"
    assert config.sip.listen == (Listen("udp", "127.0.0.1", 5060), Listen("tcp", "127.0.0.1", 5060))
    assert config.rtp.address == "127.0.0.1"
    assert config.metrics is None
    assert config.control.tcp is None
    assert config.engine.data_dir == away / "data"
    assert config.engine.database == f"sqlite:///{away}/data/santral.db"
    assert config.control.socket == away / "data/control.sock"
    assert config.warnings == ()


def test_the_current_folder_s_file_comes_first(away: Path) -> None:
    (away / "santral.toml").write_text("[engine]\nnode = 'here'\n")
    (away / "other.toml").write_text("[engine]\nnode = 'there'\n")
    assert load().engine.node == "here"
    assert load().source == "santral.toml"
    assert load("other.toml").engine.node == "there"


def test_an_empty_file_is_a_configuration(away: Path) -> None:
    config = loads("")
    assert config.trunk == config.route == ()
    assert config.engine.node
    assert config.sip.max_calls == 2000


@pytest.mark.parametrize(
    ("name", "said"),
    [("none.toml", "cannot be read: No such file"), (".", "cannot be read: Is a directory"), ("latin1.toml", "UTF-8")],
)
def test_files_that_cannot_be_read(away: Path, name: str, said: str) -> None:
    (away / "latin1.toml").write_bytes(b"[engine]\n\nnode = '\xfc'\n")
    with pytest.raises(ConfigError, match=said) as refusal:
        load(name)
    (problem,) = refusal.value.problems
    assert problem.line == (3 if name == "latin1.toml" else 0)


def test_relative_paths_start_at_the_file_s_folder(away: Path) -> None:
    folder = away / "etc"
    (folder / "sounds/acme").mkdir(parents=True)
    (folder / "token").write_text("hush\r\n")
    (folder / "santral.toml").write_text(
        f"[engine]\ndata_dir = 'd'\n[control]\nsocket = '/run/x.sock'\n{TOKEN}secret_file = 'token'\n"
        f"{TENANT}sounds = 'sounds/acme'\n"
    )
    config = load(Path("etc/santral.toml"))
    assert config.engine.data_dir == folder / "d"
    assert config.engine.database == f"sqlite:///{folder}/d/santral.db"
    assert config.control.socket == Path("/run/x.sock")
    assert config.tenant[0].sounds == folder / "sounds/acme"
    assert config.control.token[0].secret.get_secret_value() == "hush"


@pytest.mark.parametrize(
    ("given", "meant"), [("sqlite:///x/y.db", "sqlite:///{}/x/y.db"), ("sqlite:////x/y.db", "sqlite:////x/y.db")]
)
def test_databases(tmp_path: Path, given: str, meant: str) -> None:
    assert loads(f"[engine]\ndatabase = '{given}'", folder=tmp_path).engine.database == meant.format(tmp_path)


@pytest.mark.parametrize("line", ["secret = 's3'", "secret_env = 'TOKEN'"])
def test_secrets_stay_hidden(line: str) -> None:
    config = loads(f"[control]\ntcp = '[::1]:0'\n{TOKEN}{line}", environ={"TOKEN": "s3"})
    assert config.control.token[0].secret.get_secret_value() == "s3"
    assert "s3" not in repr(config)
    assert config.control.tcp == HostPort("::1", 0)


def test_the_example_of_the_contract_as_far_as_it_is_served(tmp_path: Path) -> None:
    (tmp_path / "sounds/acme").mkdir(parents=True)
    config = loads(EXAMPLE, folder=tmp_path, environ={"SANTRAL_DASHBOARD_TOKEN": "x"})
    assert config.rtp.ports == (20000, 29999)
    assert config.interfaces["carriers"].advertise == "203.0.113.7"
    assert config.interface_of(config.trunks["carrier"]).name == "carriers"
    assert config.tenants["acme"].max_duration == 14400
    trunk = config.trunks["carrier"]
    assert [str(target.uri) for target in trunk.targets] == ["sip:192.0.2.90:5090"]
    assert (trunk.full, trunk.try_timeout, trunk.progress_timeout, trunk.channels) == (486, 4.0, 15.0, 30)
    assert config.warnings == ()


EXAMPLE = """\
[engine]
node = "ank-1"
data_dir = "./data"
database = "sqlite:///data/santral.db"
media_threads = 0
drain_timeout = 30

[control]
socket = "data/control.sock"
tcp = "127.0.0.1:7071"
[[control.token]]
name = "dashboard"
secret_env = "SANTRAL_DASHBOARD_TOKEN"
scopes = ["read", "events"]
tenant = "acme"

[metrics]
listen = "127.0.0.1:9464"

[sip]
listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
advertise = "203.0.113.7"
domain = "pbx.example"
max_calls = 2000
max_calls_per_second = 100
dial_networks = ["10.0.0.0/8"]

[rtp]
address = "127.0.0.1"
ports = "20000-29999"
timeout = 60; timeout_hold = 0; no_audio = 5

[[interface]]
name = "carriers"
sip = ["udp:192.0.2.10:5060"]; rtp = "192.0.2.10"; advertise = "203.0.113.7"

# one customer

[[tenant]]
name = "acme"
domain = "acme.example"
country = "TR"
sounds = "sounds/acme"
max_duration = 14400

[[trunk]]
name = "carrier"
tenant = "acme"
targets = ["sip:192.0.2.90:5090"]
accept_from = ["192.0.2.90/32:5080"]
username = "u"; password = "p"
register = false
strategy = "failover"
codecs = ["pcma", "pcmu"]
dtmf = "auto"
interface = "carriers"
full = 486
auth_inbound = "ip"
media_from = []; nat = false; ptime = 20; hold = "pass"
try_timeout = 4; progress_timeout = 15
shared = false
channels = 30
calls_per_second = 10
srtp = "off"
options_interval = 30

[[user]]
name = "101"; tenant = "acme"; password = "secret"
channels = 2; international = false; premium = false

[[number]]
number = "+903125550100"
tenant = "acme"
route = "front-desk"
caller_name = "Acme"

[[route]]
name = "front-desk"
tenant = "acme"
from_trunk = "carrier"
called = "\\\\+90312\\\\d{7}"
caller = ".*"
hours = ["mon-fri 09:00-18:00 Europe/Istanbul"]
record = "off"
destinations = [
  { trunk = "carrier", called = "+905551112233", timeout = 30 },
  { user = "101", timeout = 30 },
]
""".replace("; ", "\n")


def test_two_networks(tmp_path: Path) -> None:
    lan = "[[interface]]\nname = 'lan'\nsip = ['udp:10.0.0.9:5060', 'tcp:[::]:5060']\nrtp = '10.0.0.9'\n"
    text = f"{TRUNK}{lan}advertise = '2001:db8::1'\n"
    config = loads(text)
    assert list(config.interfaces) == ["lan"]
    assert config.sip.listen == ()
    assert config.interface_of(config.trunks["a"]).rtp == "10.0.0.9"
    config = loads(f"{text}[sip]\nlisten = ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0']")
    assert set(config.interfaces) == {"lan", DEFAULT_INTERFACE}
    assert config.interface_of(config.trunks["a"]).name == DEFAULT_INTERFACE
    assert config.interface_of(config.trunks["a"].model_copy(update={"interface": "lan"})).name == "lan"


def test_wildcards_with_an_address_to_tell(tmp_path: Path) -> None:
    config = loads(
        "[sip]\nlisten = ['udp:0.0.0.0:5060']\nadvertise = '192.0.2.1'\n[rtp]\naddress = '0.0.0.0'\nports = '0'"
    )
    assert config.interfaces[DEFAULT_INTERFACE].advertise == "192.0.2.1"
    assert config.rtp.ports == (0, 0)


def warnings(text: str) -> list[str]:
    return [f"{one.path}: {one.message}" for one in loads(text).warnings]


def test_what_is_allowed_but_probably_not_meant() -> None:
    assert warnings("[rtp]\nports = '20000-20039'\n[sip]\nmax_calls = 11") == [
        "rtp.ports: 20000-20039 is enough for 10 calls on one address, and sip.max_calls is 11"
    ]
    assert warnings("[rtp]\nports = '20000-20039'\n[sip]\nmax_calls = 10") == []
    assert warnings(f"{TRUNK}targets = [{{ uri = 'sip:b', weight = 2 }}]") == [
        "trunk[0].targets: weights count with strategy = weighted only, and this is failover"
    ]
    no_calls = f"{TENANT}[[trunk]]\nname = 'a'\ntenant = 'acme'\ntargets = ['sip:b']\nmatch_domain = 'x'"
    assert warnings(no_calls) == ["trunk[0]: trunk a takes no calls: its match_ keys have nothing to choose from"]
    said = ["trunk[0].srtp: the keys go by signalling that is not encrypted: use TLS"]
    assert warnings(f"{TRUNK}targets = ['sip:b']\nsrtp = 'required'") == said
    assert warnings(f"{TRUNK}targets = ['sip:b']\nsrtp = 'optional'") == []
    assert warnings(
        f"{TRUNK}[[route]]\nname = 'r'\ntenant = 'acme'\ndestinations = [{{ reject = 603 }}, {{ echo = true }}]"
    ) == ["route[0].destinations[1]: is never tried: destination 1 always ends the call"]


def test_trunks_that_can_be_told_apart_may_share_addresses() -> None:
    one = "[[trunk]]\ntenant = 'acme'\naccept_from = ['10.0.0.0/8']\n"
    for asked in (
        "match_domain = 'x'",
        "match_called = '1.*'",
        "match_trunk_group = 't'",
        "match_interface = 'default'",
    ):
        assert set(loads(f"{TENANT}{one}name = 'a'\n{one}name = 'b'\n{asked}").trunks) == {"a", "b"}
    ports = "[[trunk]]\ntenant = 'acme'\naccept_from = ['127.0.0.1/32:{}', '[::1]/128:{}']\nname = 'p{}'\n"
    apart = loads(TENANT + ports.format(5080, 5080, 1) + ports.format(5090, 5090, 2))
    assert set(apart.trunks) == {"p1", "p2"}
    apart = loads(TRUNK + TRUNK.removeprefix(TENANT).replace("'a'", "'b'").replace("10.0.0.1", "10.0.0.2"))
    assert set(apart.trunks) == {"a", "b"}


def test_every_key_refused_for_now_is_tried_by_a_case() -> None:
    texts = "".join(path.read_text() for path in (Path(__file__).parent / "wrong").iterdir())
    for key in (*KEYS, *VALUES):
        last = key.rpartition(".")[2]
        assert f"{last}: " in texts or f"{last}[0]: " in texts, key


def test_sounds_are_the_tenant_s_and_the_embedded_ones(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("closed.wav", "deep/own.WAV"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link.wav").symlink_to("/etc/passwd")
    home = tmp_path.resolve()
    assert find_sound("closed.wav", tmp_path).folder == home
    assert find_sound("deep/own.WAV", tmp_path).file == home / "deep/own.WAV"
    assert find_sound("beep.wav", tmp_path).folder == EMBEDDED_SOUNDS
    assert find_sound("closed.wav", None).file == EMBEDDED_SOUNDS / "closed.wav"
    for name in ("link.wav", "../closed.wav", "/etc/passwd", "/etc/x.wav", "none.wav", "a\0.wav", "deep"):
        with pytest.raises(SoundError):
            find_sound(name, tmp_path)


def test_what_routes_may_play_is_what_the_decoder_takes() -> None:
    assert sorted(FORMATS) == list(PLAYABLE)


def test_a_large_configuration_is_read_in_time() -> None:
    """A thousand trunks and routes; the quadratic ways to check them would take minutes."""
    rows = (
        f"[[trunk]]\nname = 't{n}'\ntenant = 'acme'\n"
        f"targets = ['sip:10.9.0.1']\naccept_from = ['10.{n // 250}.{n % 250}.0/24']\n"
        f"[[route]]\nname = 'r{n}'\nfrom_trunk = 't{n}'\ncalled = '{n}'\ndestinations = [{{ trunk = 't{n}' }}]\n"
        for n in range(1000)
    )
    assert len(loads(TENANT + "".join(rows)).trunks) == 1000


VALUES_TO_TRY = st.sampled_from(
    ["0", "-1", "1.5", "true", "nan", '""', '"x"', "[]", "[1]", '["x"]', "{}", "{ a = 1 }", "[{}]", "[[]]",
     "1979-05-27", '"::"', '"0"', '"{"', '"("', '"default"', '"acme"', '"carrier"', '"\\u0000"', "99999999999999999999"]
)  # fmt: skip


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_spoiled_configuration_is_read_or_refused(data: st.DataObject) -> None:
    """Lines taken away, doubled, swapped or given another value: a Config or a ConfigError, never anything else."""
    lines = EXAMPLE.replace('sounds = "sounds/acme"\n', "").splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                del lines[place]
            case 1:
                lines.insert(data.draw(st.integers(0, len(lines))), lines[place])
            case 2:
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[place], lines[other] = lines[other], lines[place]
            case _:
                key, equals, _ = lines[place].partition(" = ")
                lines[place] = f"{key}{equals}{data.draw(VALUES_TO_TRY)}" if equals else lines[place]
    text = "\n".join(lines)
    refusal = None
    try:
        config = loads(text, environ={"SANTRAL_DASHBOARD_TOKEN": "x"})
    except ConfigError as error:
        refusal = error
    if refusal is None:
        assert isinstance(routing_table(config), RoutingTable)
    else:
        assert refusal.problems
        assert all(problem.message for problem in refusal.problems)


def test_certificates_of_networks_and_trunks(tmp_path: Path, authority: Any) -> None:
    """What a network or a trunk does not say itself comes from [sip]; who has something of his own has a profile."""
    authority.issue("pbx.example", into="own")
    authority.issue("wan.example", into="wan")
    text = (
        "[sip]\nlisten = ['tls:127.0.0.1:5061']\n"
        "certificate = 'own.pem'\nprivate_key = 'own.key'\nca = 'authority.pem'\n"
        "[[interface]]\nname = 'wan'\nsip = ['wss:127.0.0.2:443']\nrtp = '127.0.0.2'\n"
        "certificate = 'wan.pem'\nprivate_key = 'wan.key'\n"
        "[[interface]]\nname = 'lan'\nsip = ['udp:127.0.0.3:5060']\nrtp = '127.0.0.3'\n"
        f"{TRUNK}targets = ['sips:gw.example']\ninterface = 'default'\nauth_inbound = 'tls'\n"
        "[[trunk]]\nname = 'b'\ntenant = 'acme'\ntargets = ['sips:b.example']\ninterface = 'default'\n"
        "tls_wildcards = true\n"
    )
    config = loads(text, folder=tmp_path)
    ring = supply.keyring(config, config.interfaces)
    own, wan, ca = (str(tmp_path / name) for name in ("own", "wan", "authority.pem"))
    assert ring._interfaces == {
        "wan": TlsSettings(f"{wan}.pem", f"{wan}.key", ca, asks_peer=True),
        "default": TlsSettings(f"{own}.pem", f"{own}.key", ca, asks_peer=True),
    }
    assert ring._profiles == {"b": TlsSettings(f"{own}.pem", f"{own}.key", ca, wildcards=True)}
    assert routing_trunk(config.trunks["a"]).names == ("gw.example",)
    assert [config.trunks[name].tls_profile for name in "ab"] == ["", "b"]
