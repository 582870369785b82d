"""SIPp on the demo's stage: its own scenarios end to end, and each step of the demo that it can play."""

from collections.abc import Callable
from pathlib import Path

import pytest

from santral.bench.foreign import sipp
from santral.bench.foreign.sipp import Sipp
from santral.bench.judge import pitch
from santral.bench.ports import HOST, free_block
from santral.bench.scene.stage import (
    BACKED_UP,
    CLOSED,
    COLLEAGUE,
    ECHO,
    NOBODY,
    PhoneProcess,
    Silent,
    Stage,
)

SAID_HZ, OTHER_HZ = 700, 1100
TALK_MS = 2000
MEDIA_PORTS = 10


@pytest.fixture(autouse=True)
def _sipp(need: Callable[[str], None]) -> None:
    need("sipp")


def caller(stage: Stage, folder: Path, number: str, *words: str, scenario: str = "", port: int = 0) -> Sipp:
    target = f"{HOST}:{stage.ports.engine}"
    return Sipp(
        folder,
        "caller",
        port or stage.ports.caller,
        target,
        *("-s", number),
        *words,
        scenario=scenario,
        media_port=free_block(MEDIA_PORTS),
    )


def callee(stage: Stage, folder: Path, calls: int, *words: str) -> Sipp:
    return Sipp(
        folder,
        "callee",
        stage.ports.callee,
        *("-sn", "uas", "-m", str(calls)),
        *words,
        media_port=free_block(MEDIA_PORTS),
    )


def speaker(stage: Stage, folder: Path, number: str) -> Sipp:
    speech = sipp.write_alaw(pitch.write(folder, SAID_HZ), folder / "speech.al")
    return caller(stage, folder, number, "-m", "1", scenario=sipp.speaking_scenario(speech, TALK_MS))


def test_builtin_uac_reaches_builtin_uas(stage: Stage, tmp_path: Path) -> None:
    calls = 20
    with callee(stage, tmp_path, calls) as answering:
        with caller(stage, tmp_path, COLLEAGUE, "-sn", "uac", "-m", str(calls), "-r", "10", "-d", "300") as calling:
            assert calling.finish() == 0, calling.complaints()
        assert answering.finish() == 0, answering.complaints()


def test_audio_from_rtp_stream_is_heard(stage: Stage, tmp_path: Path) -> None:
    far_end = [
        *("answer", "--listen", f"{HOST}:{stage.ports.callee}", "--user", "far"),
        *("--play", str(pitch.write(tmp_path, OTHER_HZ)), "--longest", "20"),
    ]
    with PhoneProcess(tmp_path, "far", far_end) as listening, speaker(stage, tmp_path, COLLEAGUE) as speaking:
        assert speaking.finish() == 0, speaking.complaints()
        told = listening.story()
    assert pitch.seconds_of(SAID_HZ, told.heard) > TALK_MS / 1000 - 0.5
    wire = told.report["rtp_heard"]
    assert (wire["lost"], wire["duplicate"], wire["ssrcs"]) == (0, 0, 1)
    assert wire["sources"] == [told.report["rtp_named"]]


def test_audio_comes_back_from_rtp_echo(stage: Stage, tmp_path: Path) -> None:
    near_end = [
        *("call", "--listen", f"{HOST}:{stage.ports.caller}", "--to", stage.uri(COLLEAGUE), "--codec", "PCMU"),
        *("--play", str(pitch.write(tmp_path, SAID_HZ, TALK_MS / 1000)), "--longest", "20"),
    ]
    with callee(stage, tmp_path, 1, "-rtp_echo") as answering:
        with PhoneProcess(tmp_path, "near", near_end) as talking:
            told = talking.story()
        assert answering.finish() == 0, answering.complaints()
    assert pitch.seconds_of(SAID_HZ, told.heard) > TALK_MS / 1000 - 0.5


@pytest.mark.parametrize("number", [ECHO, CLOSED])
def test_endpoints_of_our_own_complete_the_call(stage: Stage, tmp_path: Path, number: str) -> None:
    """SIPp cannot record: that the audio is right is baresip's test."""
    speech = sipp.write_alaw(pitch.write(tmp_path, SAID_HZ), tmp_path / "speech.al")
    scenario = sipp.speaking_scenario(speech, 2000)
    with caller(stage, tmp_path, number, "-m", "1", scenario=scenario) as calling:
        assert calling.finish() == 0, calling.complaints()


def test_a_stranger_is_refused_403(stage: Stage, tmp_path: Path) -> None:
    words = ["-m", "1"]
    with Silent(stage.ports.callee) as carrier:
        scenario = sipp.refused_scenario(403)
        with caller(stage, tmp_path, COLLEAGUE, *words, scenario=scenario, port=stage.ports.stranger) as calling:
            assert calling.finish() == 0, calling.complaints()
        assert carrier.first_lines() == []


def test_no_route_is_refused_404(stage: Stage, tmp_path: Path) -> None:
    with caller(stage, tmp_path, NOBODY, "-m", "1", scenario=sipp.refused_scenario(404)) as calling:
        assert calling.finish() == 0, calling.complaints()


def test_a_dead_first_target_is_passed_over(stage: Stage, tmp_path: Path) -> None:
    with Silent(stage.ports.dead) as dead, callee(stage, tmp_path, 1) as answering:
        with caller(stage, tmp_path, BACKED_UP, "-sn", "uac", "-m", "1", "-d", "300") as calling:
            assert calling.finish() == 0, calling.complaints()
        assert answering.finish() == 0, answering.complaints()
        assert any(line.startswith("INVITE ") for line in dead.first_lines())
