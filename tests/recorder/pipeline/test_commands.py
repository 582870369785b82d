"""`santral recorder --once` and `santral recordings`: with a configuration file and nothing else running."""

import json
from pathlib import Path
from typing import Any

import pytest

from santral.engine.cli.commands import run_app

KEY = "11" * 32


@pytest.fixture
def config(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    path: Path = desk.folder / "santral.toml"
    monkeypatch.setenv("SEALED_KEY", KEY)
    path.write_text(
        '[engine]\nnode = "node-1"\ndata_dir = "data"\n[recording]\ndir = "kept"\n'
        '[[tenant]]\nname = "acme"\n[[tenant]]\nname = "sealed"\nrecording_key_env = "SEALED_KEY"\n'
    )
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[Any], str]:
    status = run_app([*words])
    captured = capsys.readouterr()
    lines = [json.loads(line) if line.startswith("{") else line for line in captured.out.splitlines()]
    return status, lines, captured.err


def test_recordings_without_an_engine(desk: Any, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recordings = {"acme": desk.capture("acme", cut=True), "sealed": desk.capture("sealed", picture=True, peaks=True)}
    file = ("-c", str(config))
    status, reports, _ = run(capsys, "recorder", "--once", *file)
    assert status == 0
    assert {(report["kind"], report["tenant"], report["recovered"]) for report in reports} == {
        ("ready", "acme", True),
        ("ready", "sealed", False),
    }

    status, listed, _ = run(capsys, "recordings", "ls", *file)
    assert status == 0
    assert {one["recording"]: one["encrypted"] for one in listed} == {
        recordings["acme"]: False,
        recordings["sealed"]: True,
    }
    assert "key" not in listed[0]
    assert [one["tenant"] for one in run(capsys, "recordings", "ls", "--tenant", "sealed", *file)[1]] == ["sealed"]

    out = desk.folder / "out"
    status, paths, _ = run(capsys, "recordings", "export", *recordings.values(), "-o", str(out), *file)
    assert status == 0
    assert sorted(Path(path).name for path in paths) == sorted(path.name for path in out.iterdir())
    for tenant, recording in recordings.items():
        assert (out / f"{recording}.wav").read_bytes() == desk.audio(recording, tenant)
        assert json.loads((out / f"{recording}-details.json").read_text())["recording"] == recording
    assert (out / f"{recordings['sealed']}.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((out / f"{recordings['sealed']}.json").read_text())

    status, findings, told = run(capsys, "recordings", "verify", *file)
    assert (status, findings) == (0, [])
    assert told.startswith("2 recordings, 6 files, ")
    head = told.split()[-1]
    anchor, key = f"2:{head}", desk.layout.ledger / "public.pem"
    assert run(capsys, "recordings", "verify", "--anchor", anchor, "--key", str(key), *file)[0] == 0
    assert run(capsys, "recordings", "verify", "--anchor", "2:" + "0" * 64, *file)[0] == 1


def test_stores_as_they_are_configured(desk: Any, s3: Any, ssh: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys of the file to options of the libraries, against the servers themselves."""
    path = desk.folder / "santral.toml"
    path.write_text(
        f'[engine]\nnode = "node-1"\ndata_dir = "data"\n[recording]\ndir = "kept"\nstore = "cloud"\n'
        f'[[recording.stores]]\nname = "cloud"\nurl = "s3://{s3.bucket}/kept"\nkey = "right"\nsecret = "s"\n'
        f'endpoint = "http://127.0.0.1:{s3.port}"\nregion = "eu-central-1"\n'
        f'[[recording.stores]]\nname = "vault"\nurl = "{ssh.settings().url}"\nprivate_key = "{ssh.folder}/client"\n'
        f'known_hosts = "{ssh.folder}/known_hosts"\ntimeout = 5.0\n'
        f'[[tenant]]\nname = "acme"\n[[tenant]]\nname = "sealed"\nrecording_store = "vault"\nrecording_key = "{KEY}"\n'
    )
    recordings = [desk.capture("acme"), desk.capture("sealed")]
    status, reports, _ = run(capsys, "recorder", "--once", "-c", str(path))
    assert status == 0
    assert {(report["tenant"], report["store"], report["pending"]) for report in reports} == {
        ("acme", "cloud", False),
        ("sealed", "vault", False),
    }
    assert desk.names(desk.kept) == []
    assert len(desk.names(ssh.files)) == 2
    status, findings, _ = run(capsys, "recordings", "verify", "-c", str(path))
    assert (status, findings) == (0, [])
    out = desk.folder / "out"
    assert run(capsys, "recordings", "export", *recordings, "-o", str(out), "-c", str(path))[0] == 0
    assert [(out / f"{recording}.wav").read_bytes()[:4] for recording in recordings] == [b"RIFF"] * 2


def test_what_is_wrong_is_said_and_makes_the_status(
    desk: Any, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = desk.capture()
    file = ("-c", str(config))
    assert run(capsys, "recorder", "--once", *file)[0] == 0
    (audio,) = desk.kept.rglob("*.wav")
    audio.write_bytes(audio.read_bytes()[:-1] + b"?")
    status, findings, told = run(capsys, "recordings", "verify", *file)
    assert status == 1
    assert findings == [
        {
            "kind": "changed",
            "recording": recording,
            "tenant": "acme",
            "file": str(audio.relative_to(desk.kept)),
            "text": "the file is not the one that was stored",
        }
    ]
    assert "1 findings" in told
    audio.unlink()
    status, _, told = run(capsys, "recordings", "export", recording, "-o", str(desk.folder / "out"), *file)
    assert status == 1
    assert "No such file" in told
    assert list((desk.folder / "out").glob("*.wav")) == []
    for words in (("export", desk.new_id()), ("verify", "x"), ("verify", "--anchor", "x"), ("verify", "--key", "x")):
        status, _, told = run(capsys, "recordings", *words, *file)
        assert status in {1, 2}
        assert told.startswith("santral: ")


def test_recover_says_what_cannot_be_finished(desk: Any, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = desk.capture()
    desk.kept.write_text("a file")
    status, reports, told = run(capsys, "recordings", "recover", "-c", str(config))
    assert status == 1
    assert (reports[0]["kind"], reports[0]["recording"], reports[0]["capture_kept"]) == ("failed", recording, True)
    assert "captures are kept" in told
    desk.kept.unlink()
    status, reports, _ = run(capsys, "recordings", "recover", "-c", str(config))
    assert (status, [report["kind"] for report in reports]) == (0, ["ready"])
    desk.assert_stored_once(recording)


def test_orders_that_could_not_be_carried_out(desk: Any, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = desk.capture()
    file = ("-c", str(config))
    assert run(capsys, "recorder", "--once", *file)[0] == 0
    desk.kept.rename(desk.folder / "unmounted")
    desk.kept.write_text("a file")
    desk.recorder().orders.take("erase", recording, {"tenant": "acme", "by": "ayse"})
    status, _, told = run(capsys, "recorder", "--once", *file)
    assert status == 1
    assert "orders about 1 recordings" in told


def test_the_recorder_is_told_for_whom_it_works(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("--once", "--fd", "3")):
        status, _, told = run(capsys, "recorder", *words, "-c", str(config))
        assert status == 2
        assert "--once" in told
