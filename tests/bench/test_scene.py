"""The demo's verdicts on made-up stories: each way in which a call can go wrong must be seen. And the demo itself."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from santral.bench import demo
from santral.bench.peer import g711, wav
from santral.bench.process import Child, environment
from santral.bench.scene import stage, steps
from santral.bench.scene.observation import Observation
from santral.bench.scene.stage import Ports, Stage, Story

SAID = wav.read(steps.CALLER_SAYS)[0]
NAMED = "127.0.0.1:20010"


def story(heard: "np.ndarray[tuple[int, ...], np.dtype[np.int16]] | None" = None, **changes: Any) -> Story:
    report = {
        "user": "someone",
        "final_status": 200,
        "statuses": [100, 180, 200],
        "ended_by": "peer",
        "rtp_port": 20_020,
        "rtp_named": NAMED,
        "rtp_sent": 300,
        "rtp_heard": {"packets": 300, "lost": 0, "duplicate": 0, "ssrcs": 1, "sources": [NAMED]},
        "events": 101,
        "digits_heard": [{"key": key, "duration_ms": 100, "packets": 8, "ended": True} for key in steps.DIGITS],
        "said_origin_ns": 5_000_000_000,
        "said_lead_in_samples": 2400,
        "heard_origin_ns": 5_002_000_000,
    }
    return Story(report | changes, heard if heard is not None else np.zeros(8000, np.int16))


def wire(**changes: Any) -> dict[str, Any]:
    return {"packets": 300, "lost": 0, "duplicate": 0, "ssrcs": 1, "sources": [NAMED]} | changes


def through_g711(lag: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    return np.concatenate([np.zeros(lag, np.int16), g711.decode(g711.encode(SAID, "PCMA"), "PCMA")])


@pytest.fixture
def empty_stage(tmp_path: Path) -> Stage:
    """A stage without an engine, for verdicts that only leave pictures."""
    return Stage(tmp_path, Ports(1, 2, 3, 4, 5, 6), Child([], tmp_path / "log"))


def test_speech_that_came_is_heard_with_its_delay(empty_stage: Stage) -> None:
    said = steps.Said(SAID, story().report)
    by_ear, delay = steps.hears(empty_stage, "bridge", "callee hears caller", story(through_g711(2400)), said)
    assert by_ear.ok
    assert delay == Observation("bridge", "callee hears caller: delay", "2.00 ms", True)
    assert (empty_stage.folder / "bridge-callee-hears-caller.png").stat().st_size > 10_000


@pytest.mark.parametrize("lag", [0, 2400 + 8 * 50])
def test_a_delay_that_cannot_be_or_must_not_be_is_refused(empty_stage: Stage, lag: int) -> None:
    said = steps.Said(SAID, story().report)
    _, delay = steps.hears(empty_stage, "bridge", "callee hears caller", story(through_g711(lag)), said)
    assert not delay.ok


def test_silence_is_not_heard(empty_stage: Stage) -> None:
    observed = steps.hears(empty_stage, "bridge", "x", story(), steps.Said(SAID, None))
    assert [one.ok for one in observed] == [False]
    assert not steps.hears(empty_stage, "bridge", "y", Story(story().report, SAID[:0]), steps.Said(SAID, None))[0].ok


def test_hearing_oneself_is_noticed() -> None:
    said = steps.Said(SAID, None)
    assert not steps.does_not_hear("bridge", "x", story(through_g711(900)), said).ok
    assert steps.does_not_hear("bridge", "x", story(wav.read(steps.CALLEE_SAYS)[0]), said).ok


@pytest.mark.parametrize(
    "heard",
    [
        wire(lost=1),
        wire(duplicate=1),
        wire(ssrcs=2),
        wire(packets=200),
        wire(packets=0, sources=[]),
        wire(sources=[NAMED, "127.0.0.1:9"]),
        wire(sources=["127.0.0.1:9"]),
    ],
)
def test_packets_that_did_not_come_cleanly_are_noticed(heard: dict[str, Any]) -> None:
    assert steps.comes_through("bridge", "x", story(), story()).ok
    assert not steps.comes_through("bridge", "x", story(), story(rtp_heard=heard)).ok


def test_packets_that_bypass_the_engine_are_noticed() -> None:
    direct = "127.0.0.1:20020"
    hearer = story(rtp_named=direct, rtp_heard=wire(sources=[direct]))
    assert not steps.comes_through("bridge", "x", story(), hearer).ok


@pytest.mark.parametrize(
    "digits",
    [
        [],
        [{"key": key, "duration_ms": 100, "packets": 8, "ended": True} for key in "15#9"],
        [{"key": key, "duration_ms": 100, "packets": 5, "ended": key != "9"} for key in steps.DIGITS],
        [{"key": key, "duration_ms": 800, "packets": 8, "ended": True} for key in steps.DIGITS],
        [{"key": key, "duration_ms": 100, "packets": 8, "ended": True} for key in "1599#"],
    ],
)
def test_digits_that_came_wrong_are_noticed(digits: list[dict[str, Any]]) -> None:
    assert steps.is_sent_digits("digits", story()).ok
    assert not steps.is_sent_digits("digits", story(digits_heard=digits)).ok


def test_statuses_and_goodbyes() -> None:
    assert steps.is_answered("refused", story(final_status=403), 403).ok
    assert not steps.is_answered("refused", story(final_status=200), 403).ok
    assert steps.gets_bye("bridge", story(), "peer").ok
    assert not steps.gets_bye("bridge", story(ended_by=""), "peer").ok


def test_an_engine_that_does_not_start_is_one_line_and_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage, "serve_words", lambda _: [sys.executable, "-c", "raise SystemExit('no luck today')"])
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert demo.main(tmp_path / "out") == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    complaint = capsys.readouterr().err
    assert "no luck today" in complaint
    assert complaint.count("\n") == 1


def test_a_phone_that_is_never_called_tells_so(tmp_path: Path) -> None:
    port = Ports.choose().callee
    words = ["answer", "--listen", f"127.0.0.1:{port}", "--longest", "0.3"]
    with stage.PhoneProcess(tmp_path, "lonely", words) as phone:
        told = phone.story()
    assert told.report["final_status"] == 0
    assert told.report["rtp_heard"]["packets"] == 0


@pytest.mark.timeout(150)
def test_the_demo_observes_every_step(tmp_path: Path) -> None:
    out = tmp_path / "demo-output"
    words = [sys.executable, "-m", "santral.bench.demo", str(out)]
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 90
    assert "Every step was observed" in done.stdout
    assert len(list(out.glob("*-heard.wav"))) >= 7
    assert len(list(out.glob("*.png"))) >= 5
    assert json.loads((out / "bridge-caller.json").read_text())["final_status"] == 200


def test_a_demo_that_is_told_to_stop_leaves_nothing_running(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "santral.bench.demo", str(tmp_path / "out")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()) as running:
        assert running.stdout is not None
        running.stdout.readline()  # the first step has begun
        time.sleep(1.5)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM
    marks = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [mark for mark in marks if str(tmp_path).encode() in mark]
