"""`santral mixdown` on files of the real format."""

import fcntl
from pathlib import Path

import pytest

from santral.engine.cli.commands import run_app
from santral.recorder.capture import CaptureHeader, CaptureKey, CaptureWriter
from santral.recorder.keys import Keyring, WrappingKey

from .scene import START_NS, Talk, speech


def write(path: Path, recording: str = "rec-1", *, complete: bool = True, key: CaptureKey | None = None) -> None:
    header = CaptureHeader(recording, "acme", "node", START_NS, 1_760_000_000_000_000_000)
    with CaptureWriter(path, header, key) as capture:
        capture.codec(2, "PCMA/8000")
        for stream, role in enumerate(("originating", "connected")):
            capture.stream(stream, START_NS, leg=f"leg-{stream}", side="said", role=role)
            rows, payloads = Talk(stream, speech(2, seed=stream), start_s=0).rows()
            for row, payload in zip(rows, payloads, strict=True):
                fields = (int(row[name]) for name in ("stream", "arrival_ns", "timestamp", "ssrc", "sequence", "codec"))
                capture.packet(*fields, payload)
        if complete:
            capture.end(START_NS + 2_500_000_000, "hangup")


def test_a_capture_becomes_a_wav_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "x.capture")
    assert run_app(["mixdown", str(tmp_path / "x.capture")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/rec-1.wav: wav, 2.50 s, 8000 Hz, 2 channels\n"
    assert (tmp_path / "rec-1.wav").read_bytes()[:4] == b"RIFF"


def test_a_cut_capture_says_so_and_is_mixed_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "x.capture", complete=False)
    arguments = ["-o", str(tmp_path / "out.flac"), "--channels", "mono"]
    assert run_app(["mixdown", str(tmp_path / "x.capture"), *arguments]) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path}/out.flac: flac, 2.02 s, 8000 Hz, 1 channel\n"
    assert "rec-1 was cut" in said.err


def test_a_capture_that_grows_is_mixed_as_far_as_it_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "x.capture", complete=False)
    with (tmp_path / "x.capture").open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert run_app(["mixdown", str(tmp_path / "x.capture")]) == 0
    assert "still being made" in capsys.readouterr().err


def test_an_encrypted_capture_needs_its_tenant_s_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrapping = WrappingKey.generate()
    data_key, wrapped = Keyring({"acme": [wrapping]}).new("acme", "rec-1")
    write(tmp_path / "x.capture", key=CaptureKey(data_key.capture(), wrapped))
    (tmp_path / "keys").write_text(WrappingKey.generate().secret.hex() + "\n" + wrapping.secret.hex() + "\n")
    (tmp_path / "others").write_text(WrappingKey.generate().secret.hex() + "\n")
    config = tmp_path / "santral.toml"
    config.write_text(f'[[tenant]]\nname = "acme"\nrecording_key = "{wrapping.secret.hex()}"\n')
    command = ["mixdown", str(tmp_path / "x.capture")]
    for keys in (["--key-file", str(tmp_path / "keys")], ["-c", str(config)]):
        assert run_app([*command, *keys]) == 0
        assert "2.50 s" in capsys.readouterr().out
    assert run_app([*command, "--key-file", str(tmp_path / "others")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert wrapping.secret.hex() not in said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["none.capture"], "No such file"),
        (["x.capture", "-o", "y.xyz"], "what format"),
        (["x.capture", "--format", "vinyl"], "no format 'vinyl'"),
        (["x.capture", "--channels", "quadro"], "'quadro' is none of mono, stereo"),
        (["x.capture", "other.capture", "-o", "y.wav"], "2 recordings"),
        (["x.capture", "-o", "nowhere/y.wav"], "No such file"),
        (["junk.capture"], ""),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x.capture")
    write(tmp_path / "other.capture", "rec-2")
    (tmp_path / "junk.capture").write_bytes(b"RIFF" * 100)
    assert run_app(["mixdown", *arguments]) != 0
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1
    assert "Traceback" not in said
