"""The digit detector on the reference corpus' labelled matrix: every mandatory case, other seeds, both laws."""

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from santral.codecs.detect.dtmf import digits

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif("SANTRAL_CORPUS" not in os.environ, reason="SANTRAL_CORPUS names no reference corpus"),
]


@pytest.mark.parametrize(("law", "seed"), [("none", 0), ("alaw", 7), ("ulaw", 8)])
def test_every_mandatory_case(law: str, seed: int, tmp_path: Path) -> None:
    generator = Path(os.environ["SANTRAL_CORPUS"]) / "dtmf/gen.py"
    command = [sys.executable, str(generator), str(tmp_path), "--law", law, "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True, timeout=50)
    wrong = []
    cases = json.loads((tmp_path / "index.json").read_text())
    mandatory = [case for case in cases if case["verdict"] != "report"]
    for case in mandatory:
        with wave.open(str(tmp_path / case["file"])) as file:
            found = "".join(each.digit for each in digits(file.readframes(file.getnframes())))
        if found != (case["digits"] if case["verdict"] == "detect" else ""):
            wrong.append((case["file"], case["verdict"], found))
    assert len(mandatory) > 100
    assert wrong == []
