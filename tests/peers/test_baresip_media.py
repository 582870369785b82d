"""baresip with encrypted media and with codecs that the far side lacks: what each hears is the other's tone."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from santral.bench.foreign.baresip import Baresip
from santral.bench.judge import pitch
from santral.bench.scene.stage import COLLEAGUE, SceneError, Stage, set_up

ANSWER_S = 8.0
TALK_S = 1.5
CALLER_HZ, CALLEE_HZ = 700, 1100
OFFICE = 'codecs = ["opus", "g722", "pcma"]\nsrtp = "{srtp}"'


@pytest.fixture(autouse=True)
def _baresip(need: Callable[[str], None]) -> None:
    need("baresip")


@pytest.fixture(scope="module")
def stage_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stage]]:
    """An engine whose callers' trunk has this policy for SRTP; one for all tests of the same."""
    made: dict[str, Stage] = {}
    with ExitStack() as stack:

        def of(policy: str) -> Stage:
            if policy not in made:
                folder = tmp_path_factory.mktemp(f"stage-{policy}")
                made[policy] = stack.enter_context(set_up(folder, OFFICE.format(srtp=policy)))
            return made[policy]

        yield of


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
def test_each_hears_the_tone_of_the_other(
    stage_of: Callable[[str], Stage], tmp_path: Path, policy: str, codec: str, srtp: str
) -> None:
    stage = stage_of(policy)
    with (
        Baresip(tmp_path, "callee", stage.ports.callee, pitch.write(tmp_path, CALLEE_HZ), user=COLLEAGUE) as callee,
        Baresip(
            tmp_path, "caller", stage.ports.caller, pitch.write(tmp_path, CALLER_HZ), codec=codec, srtp=srtp
        ) as caller,
    ):
        caller.dial(stage.uri(COLLEAGUE))
        caller.wait_for("CALL_ESTABLISHED", ANSWER_S)
        time.sleep(TALK_S)
        caller.hang_up()
        callee.wait_for("CALL_CLOSED", ANSWER_S)
    for phone, wanted, own in ((callee, CALLER_HZ, CALLEE_HZ), (caller, CALLEE_HZ, CALLER_HZ)):
        assert pitch.seconds_of(wanted, *phone.heard_at()) > TALK_S / 2, phone.name
        assert pitch.seconds_of(own, *phone.heard_at()) == 0, phone.name


def test_who_has_no_keys_is_refused_where_they_are_required(stage_of: Callable[[str], Stage], tmp_path: Path) -> None:
    stage = stage_of("required")
    with (
        Baresip(tmp_path, "caller", stage.ports.caller, pitch.write(tmp_path, CALLER_HZ)) as caller,
    ):
        caller.dial(stage.uri(COLLEAGUE))
        assert "488" in caller.wait_for("CALL_CLOSED", ANSWER_S)["param"]
        with pytest.raises(SceneError):
            caller.wait_for("CALL_ESTABLISHED", 0.1)
