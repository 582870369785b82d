"""baresip on the demo's stage, as caller and as callee: it plays a file, and its recording is judged."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from santral.bench.foreign.baresip import Baresip
from santral.bench.judge import hearing, pitch
from santral.bench.peer import wav
from santral.bench.ports import HOST
from santral.bench.scene.stage import (
    BACKED_UP,
    CLOSED,
    COLLEAGUE,
    ECHO,
    NOBODY,
    SOUNDS,
    PhoneProcess,
    Silent,
    Stage,
)
from santral.engine.sounds.make import resample

CALLER_SAYS = SOUNDS / "passage-en.wav"
CALLEE_SAYS = SOUNDS / "passage-tr.wav"
TALK_S = 7.5
TONE_HZ, TONE_S = 700, 1.2
DIGITS = "159#"
DIGIT_S = 0.35  # between two keys: it holds a key until the next command
ANSWER_S = 8.0
END_S = 10.0


@pytest.fixture(autouse=True)
def _baresip(need: Callable[[str], None]) -> None:
    need("baresip")


def said(path: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    return wav.read(path)[0]


def test_speech_both_ways_and_digits(stage: Stage, tmp_path: Path) -> None:
    with (
        Baresip(tmp_path, "callee", stage.ports.callee, CALLEE_SAYS, user=COLLEAGUE) as callee,
        Baresip(tmp_path, "caller", stage.ports.caller, CALLER_SAYS) as caller,
    ):
        caller.dial(stage.uri(COLLEAGUE))
        caller.wait_for("CALL_ESTABLISHED", ANSWER_S)
        time.sleep(TALK_S)
        for key in DIGITS:
            caller.press(key)
            time.sleep(DIGIT_S)
        assert callee.keys_heard() == DIGITS
        caller.hang_up()
        callee.wait_for("CALL_CLOSED", END_S)
    by_callee, by_caller = (
        hearing.find(said(CALLER_SAYS), callee.heard()),
        hearing.find(said(CALLEE_SAYS), caller.heard()),
    )
    assert by_callee.is_same, by_callee
    assert by_caller.is_same, by_caller
    assert hearing.find(said(CALLER_SAYS), caller.heard()).is_absent


def test_digits_from_a_phone_of_ours_reach_it(stage: Stage, tmp_path: Path) -> None:
    words = ["call", "--listen", f"{HOST}:{stage.ports.caller}", "--to", stage.uri(COLLEAGUE), "--digits", DIGITS]
    with Baresip(tmp_path, "callee", stage.ports.callee, CALLEE_SAYS, user=COLLEAGUE) as callee:
        with PhoneProcess(tmp_path, "near", [*words, "--events", "96"]) as near:
            told = near.story()
        callee.wait_for("CALL_CLOSED", END_S)
        assert callee.keys_heard() == DIGITS
    assert told.report["final_status"] == 200


def test_its_digits_reach_the_wire_of_a_phone_of_ours(stage: Stage, tmp_path: Path) -> None:
    words = ["answer", "--listen", f"{HOST}:{stage.ports.callee}", "--longest", "20"]
    with (
        PhoneProcess(tmp_path, "far", words) as far,
        Baresip(tmp_path, "caller", stage.ports.caller, CALLER_SAYS) as caller,
    ):
        caller.dial(stage.uri(COLLEAGUE))
        caller.wait_for("CALL_ESTABLISHED", ANSWER_S)
        for key in DIGITS:
            caller.press(key)
            time.sleep(DIGIT_S)
        caller.hang_up()
        told = far.story()
    heard = told.report["digits_heard"]
    assert "".join(one["key"] for one in heard) == DIGITS
    assert all(one["ended"] for one in heard)


def test_echo(stage: Stage, tmp_path: Path) -> None:
    with Baresip(tmp_path, "caller", stage.ports.caller, pitch.write(tmp_path, TONE_HZ)) as caller:
        caller.dial(stage.uri(ECHO))
        caller.wait_for("CALL_ESTABLISHED", ANSWER_S)
        time.sleep(TONE_S)
        caller.hang_up()
        caller.wait_for("CALL_CLOSED", END_S)
    assert pitch.seconds_of(TONE_HZ, caller.heard()) > TONE_S / 2


def test_play_and_hang_up(stage: Stage, tmp_path: Path) -> None:
    with Baresip(tmp_path, "caller", stage.ports.caller, CALLER_SAYS) as caller:
        caller.dial(stage.uri(CLOSED))
        caller.wait_for("CALL_ESTABLISHED", ANSWER_S)
        caller.wait_for("CALL_CLOSED", END_S)
    wide, rate_hz = wav.read(SOUNDS / "closed.wav")
    match = hearing.find(resample(wide.astype(np.float64), rate_hz, wav.RATE_HZ), caller.heard())
    assert match.is_same, match


def test_no_route(stage: Stage, tmp_path: Path) -> None:
    with Baresip(tmp_path, "caller", stage.ports.caller, CALLER_SAYS) as caller:
        caller.dial(stage.uri(NOBODY))
        assert "404" in caller.wait_for("CALL_CLOSED", ANSWER_S)["param"]


def test_a_stranger(stage: Stage, tmp_path: Path) -> None:
    with Baresip(tmp_path, "stranger", stage.ports.stranger, CALLER_SAYS) as stranger:
        stranger.dial(stage.uri(COLLEAGUE))
        assert "403" in stranger.wait_for("CALL_CLOSED", ANSWER_S)["param"]


def test_failover(stage: Stage, tmp_path: Path) -> None:
    with (
        Silent(stage.ports.dead) as dead,
        Baresip(tmp_path, "callee", stage.ports.callee, CALLEE_SAYS, user=BACKED_UP) as callee,
        Baresip(tmp_path, "caller", stage.ports.caller, pitch.write(tmp_path, TONE_HZ)) as caller,
    ):
        caller.dial(stage.uri(BACKED_UP))
        caller.wait_for("CALL_ESTABLISHED", ANSWER_S)
        time.sleep(TONE_S)
        caller.hang_up()
        callee.wait_for("CALL_CLOSED", END_S)
        assert any(line.startswith("INVITE ") for line in dead.first_lines())
    assert pitch.seconds_of(TONE_HZ, callee.heard()) > TONE_S / 2
