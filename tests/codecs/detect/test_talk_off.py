"""Recorded speech of five languages must not dial: no digit, no network tone in two hours, three levels, both laws."""

import os
import wave
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from santral.codecs.detect.dtmf import Digit, digits
from santral.codecs.detect.tones import tones
from santral.codecs.g711 import PCMA, PCMU

INSTALLED = Path("/usr/share/asterisk/sounds")  # Debian's asterisk-core-sounds-*-wav
GAINS_DB = (-12, 0, 6)


@pytest.fixture(scope="module")
def recordings(lacking: Callable[[str], NoReturn]) -> list[bytes]:
    """Speech at 8 kHz: of the folder SANTRAL_SPEECH, or of Debian's packages."""
    folder = Path(os.environ.get("SANTRAL_SPEECH", INSTALLED))
    found = []
    for path in sorted(folder.rglob("*.wav")):
        with wave.open(str(path)) as file:
            if (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2):
                found.append(file.readframes(file.getnframes()))
    if sum(map(len, found)) < 60 * 60 * 16_000:
        lacking("less than an hour of speech (apt install asterisk-core-sounds-{en,es,fr,it,ru}-wav)")
    return found


@pytest.mark.parametrize("codec", [PCMU, PCMA], ids=["mu-law", "A-law"])
@pytest.mark.parametrize("gain_db", GAINS_DB)
def test_speech_does_not_dial(recordings: list[bytes], gain_db: int, codec: object) -> None:
    false: list[Digit] = []
    for samples in recordings:
        louder = np.frombuffer(samples, np.int16) * np.float32(10 ** (gain_db / 20))
        pcm = np.clip(np.round(louder), -32768, 32767).astype(np.int16).tobytes()
        false += digits(codec.decode(codec.encode(pcm)))  # type: ignore[attr-defined]
    assert false == []


def test_speech_is_no_network_tone(recordings: list[bytes]) -> None:
    assert [each for samples in recordings for each in tones(samples)] == []
