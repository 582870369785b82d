"""baresip with encrypted media and with codecs that the far side lacks: what each hears is the other's tone."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from santral.bench.foreign.baresip import Baresip
from santral.bench.peer import wav
from santral.bench.scene.stage import COLLEAGUE, SceneError, set_up

ANSWER_S = 8.0
TALK_S = 3.0
RATE_HZ = 8000
CALLER_HZ, CALLEE_HZ = 700, 1100
OFFICE = 'codecs = ["opus", "g722", "pcma"]\nsrtp = "{srtp}"'


@pytest.fixture(autouse=True)
def _baresip(need: Callable[[str], None]) -> None:
    need("baresip")


def tone(folder: Path, hz: int) -> Path:
    path = folder / f"{hz}.wav"
    wav.write(path, (8000 * np.sin(2 * np.pi * hz * np.arange(20 * RATE_HZ) / RATE_HZ)).astype(np.int16))
    return path


def strongest(phone: Baresip) -> tuple[float, float]:
    """The frequency that has most of what it heard, and its share of the power, in the second half of the call."""
    samples, rate_hz = phone.heard_at()
    part = samples[len(samples) // 2 :][:rate_hz].astype(np.float64)
    assert len(part) == rate_hz
    power = np.abs(np.fft.rfft(part * np.hanning(rate_hz))) ** 2
    peak = int(power.argmax())
    return float(peak), float(power[peak - 5 : peak + 6].sum() / power.sum())


@pytest.mark.parametrize(
    ("policy", "codec", "srtp"),
    [
        ("off", "G722", ""),
        ("off", "opus", ""),
        ("optional", "PCMA", "srtp"),
        ("required", "PCMA", "srtp-mand"),
        ("required", "opus", "srtp-mand"),
    ],
)
def test_each_hears_the_tone_of_the_other(tmp_path: Path, policy: str, codec: str, srtp: str) -> None:
    with (
        set_up(tmp_path / "stage", OFFICE.format(srtp=policy)) as stage,
        Baresip(tmp_path, "callee", stage.ports.callee, tone(tmp_path, CALLEE_HZ), user=COLLEAGUE) as callee,
        Baresip(tmp_path, "caller", stage.ports.caller, tone(tmp_path, CALLER_HZ), codec=codec, srtp=srtp) as caller,
    ):
        caller.dial(stage.uri(COLLEAGUE))
        caller.wait_for("CALL_ESTABLISHED", ANSWER_S)
        time.sleep(TALK_S)
        caller.hang_up()
        callee.wait_for("CALL_CLOSED", ANSWER_S)
    for phone, wanted in ((callee, CALLER_HZ), (caller, CALLEE_HZ)):
        hz, share = strongest(phone)
        assert abs(hz - wanted) <= 2, phone.name
        assert share > 0.95, phone.name


def test_who_has_no_keys_is_refused_where_they_are_required(tmp_path: Path) -> None:
    with (
        set_up(tmp_path / "stage", OFFICE.format(srtp="required")) as stage,
        Baresip(tmp_path, "caller", stage.ports.caller, tone(tmp_path, CALLER_HZ)) as caller,
    ):
        caller.dial(stage.uri(COLLEAGUE))
        assert "488" in caller.wait_for("CALL_CLOSED", ANSWER_S)["param"]
        with pytest.raises(SceneError):
            caller.wait_for("CALL_ESTABLISHED", 0.1)
