"""The doctor's findings, on machines made up for it."""

import resource
import socket
from pathlib import Path

import pytest

from santral.codecs import opus
from santral.engine.config import Config, loads
from santral.engine.control import doctor
from santral.engine.control.doctor import Finding, examine

TEXT = """\
[sip]
listen = ["{listen}"]
max_calls = 50
[rtp]
ports = "{ports}"
"""


def config(tmp_path: Path, listen: str = "udp:127.0.0.1:0", ports: str = "42000-42199") -> Config:
    return loads(TEXT.format(listen=listen, ports=ports), folder=tmp_path)


def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> None:
    """Let the doctor see a /proc of ours."""
    for name, text in files.items():
        file = tmp_path / "proc" / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "proc/self/fd").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(doctor, "PROC", tmp_path / "proc")


def states(findings: list[Finding]) -> list[str]:
    return [each.state for each in findings]


def test_every_finding_that_is_not_ok_says_how_to_mend_it(tmp_path: Path) -> None:
    findings = examine(config(tmp_path))
    assert {"check", "state", "found", "mend"} == set(findings[0])
    assert all(each["mend"] for each in findings if each["state"] != "ok")
    assert {each["state"] for each in findings} <= {"ok", "warning", "error"}


def test_too_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 300))
    (finding,) = doctor.open_files(config(tmp_path))
    assert finding.state == "warning"
    assert "enough for 43 calls" in finding.found
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, resource.RLIM_INFINITY))
    assert states(list(doctor.open_files(config(tmp_path)))) == ["ok"]


def test_short_socket_buffers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, monkeypatch, sys__net__core__rmem_max="212992", sys__net__core__wmem_max="212992")
    short, enough = doctor.socket_buffers(config(tmp_path))
    assert (short.state, enough.state) == ("warning", "ok")
    assert "sysctl -w net.core.rmem_max=" in short.mend


def test_a_slow_clock_and_one_nobody_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "clock"
    source.write_text("hpet\n")
    monkeypatch.setattr(doctor, "CLOCK_SOURCE", source)
    monkeypatch.setattr(doctor, "clock_is_kept", lambda: False)
    assert states(list(doctor.clocks(config(tmp_path)))) == ["warning", "warning"]
    source.write_text("tsc\n")
    monkeypatch.setattr(doctor, "clock_is_kept", lambda: True)
    assert states(list(doctor.clocks(config(tmp_path)))) == ["ok", "ok"]


def test_a_sip_port_in_use(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        listen = f"udp:127.0.0.1:{other.getsockname()[1]}"
        (finding,) = doctor.sip_ports(config(tmp_path, listen, ports="22000-22199"))  # where the kernel gives none away
    assert (finding.state, finding.found) == ("error", "address already in use")


def test_rtp_ports_in_use_too_few_or_given_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "  1: 0100007F:{port:04X} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 777 2 x 0\n"
    machine(
        tmp_path,
        monkeypatch,
        net__udp="head\n" + row.format(port=42010) + row.format(port=5060),
        sys__net__ipv4__ip_local_port_range="32768\t60999",
        sys__net__ipv4__ip_local_reserved_ports="",
    )
    used, ephemeral = doctor.rtp_ports(config(tmp_path))
    assert "1 used by others: 42010" in used.found
    assert "ip_local_reserved_ports=42000-42199" in ephemeral.mend
    (tmp_path / "proc/net/udp").write_text("head\n")
    (tmp_path / "proc/sys/net/ipv4/ip_local_reserved_ports").write_text("42000-42199\n")
    assert states(list(doctor.rtp_ports(config(tmp_path)))) == ["ok"]
    few = next(iter(doctor.rtp_ports(config(tmp_path, ports="42000-42099"))))
    assert "carry 25 calls" in few.found


def test_own_sockets_are_no_others(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        assert own.getsockname()[1] not in doctor.bound_udp_ports()


def test_missing_libraries_and_compiled_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", {"no_such_library": "nothing works"})
    monkeypatch.setattr(doctor, "COMPILED", ("santral.codecs.none", "santral.none.none"))
    _, compiled, library = doctor.libraries(config(tmp_path))
    assert (compiled.state, library.state) == ("error", "warning")
    assert "make build" in compiled.mend
    assert library.mend == "pip install no-such-library"


def test_libraries_of_stores_are_needed_where_there_is_such_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", {})
    monkeypatch.setattr(doctor, "STORES", {"s3": "no_such_library"})
    stores = loads('[[recording.stores]]\nname = "far"\nurl = "s3://bucket"\n[recording]\nstore = "far"').recording
    with_store = config(tmp_path).model_copy(update={"recording": stores})
    library = list(doctor.libraries(with_store))[-1]
    assert (library.check, library.state) == ("no_such_library", "error")
    assert "store far" in library.found


def test_without_libopus_opus_is_passed_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (there,) = doctor.codec_libraries(config(tmp_path))
    assert (there.check, there.state) == ("libopus", "ok")
    monkeypatch.setattr(opus, "IS_THERE", False)
    monkeypatch.setattr(opus, "FOUND_AT", "libopus was not found")
    (missing,) = doctor.codec_libraries(config(tmp_path))
    assert (missing.state, missing.mend) == ("warning", "apt install libopus0")


def test_a_data_folder_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_DISK", 1 << 60)
    assert states(list(doctor.storage(config(tmp_path)))) == ["warning", "warning"]


def test_a_control_folder_open_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    assert [each.check for each in doctor.storage(config(tmp_path)) if each.state == "warning"] == ["control socket"]


def test_a_running_engine_s_ports_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "data/control.sock"))
        listener.listen()
        (finding,) = doctor.sip_ports(config(tmp_path, "udp:127.0.0.1:1"))
    assert "running" in finding.found
