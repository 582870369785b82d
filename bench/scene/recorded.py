"""The recording step: the bridge was recorded; is each side's speech in its ear, whole, and is the file sealed?"""

import hashlib
import shutil
import time
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from santral.bench.judge import hearing
from santral.bench.peer import wav
from santral.bench.scene.observation import Observation
from santral.bench.scene.stage import CALLEE_SAYS, CALLER_SAYS, COLLEAGUE, SceneError, Stage
from santral.engine.control.client import SyncClient

READY_S: Final = 20.0  # for the recorder process, which was started for this
STEP: Final = "recording"


def record(stage: Stage) -> list[Observation]:
    """The bridge was recorded: the caller in the left ear, the callee in the right one."""
    shown = _ready(stage)
    files = {one["kind"]: one for one in shown["files"]}
    if "audio" not in files or "picture" not in files:
        raise SceneError(f"the recorder made {', '.join(files) or 'nothing'}")
    audio, picture = (_fetched(stage, files[kind]) for kind in ("audio", "picture"))
    left, right = ears(audio)
    spoken = {"caller": wav.read(CALLER_SAYS)[0], "callee": wav.read(CALLEE_SAYS)[0]}
    summed = hashlib.sha256(audio.read_bytes()).hexdigest()
    seen = f"{shown['ms'] / 1000:.1f} s, {audio.stat().st_size} bytes, {audio.name}, {picture.name}"
    return [
        Observation(STEP, "files are ready", seen, shown["state"] == "ready"),
        is_in("the caller in the left ear", spoken["caller"], left),
        is_in("the callee in the right ear", spoken["callee"], right),
        is_not_in("the callee is not in the left ear", spoken["callee"], left),
        is_not_in("the caller is not in the right ear", spoken["caller"], right),
        Observation(STEP, "SHA-256 is that of the index", summed[:16], summed == files["audio"]["sha256"]),
    ]


def _ready(stage: Stage) -> dict[str, Any]:
    """The recording of the bridge, once its files are made. Raises SceneError."""
    until = time.monotonic() + READY_S
    try:
        client = SyncClient(str(stage.folder / "data" / "control.sock"))
    except OSError as problem:
        raise SceneError(f"the control socket: {problem}") from None
    try:
        while True:
            items = client.call("recording.list", party=COLLEAGUE)["items"]
            if items and items[-1]["state"] not in {"recording", "processing"}:
                return dict(items[-1])
            if time.monotonic() > until:
                raise SceneError(f"no recording of {COLLEAGUE} is ready after {READY_S:.0f} s")
            time.sleep(0.1)
    finally:
        client.close()


def _fetched(stage: Stage, file: Mapping[str, Any]) -> Path:
    """A copy beside the other files of the demo."""
    stored = stage.folder / "data" / "recordings" / str(file["name"])
    copy = stage.folder / f"recording{stored.suffix}"
    try:
        shutil.copyfile(stored, copy)
    except OSError as problem:
        raise SceneError(f"the recording is not where the index says: {problem}") from None
    return copy


def ears(path: Path) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Left and right of a stereo file. Raises SceneError for another one."""
    with wave.open(str(path), "rb") as source:
        if (source.getnchannels(), source.getsampwidth(), source.getframerate()) != (2, 2, wav.RATE_HZ):
            raise SceneError(f"{path.name} is not stereo with 16 bits at {wav.RATE_HZ} Hz")
        both = np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(np.int16).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def is_in(what: str, said: NDArray[np.int16], ear: NDArray[np.int16]) -> Observation:
    match = hearing.find(said, ear)
    return Observation(STEP, what, f"likeness {match.likeness:.4f}, level {match.level_db:+.2f} dB", match.is_same)


def is_not_in(what: str, said: NDArray[np.int16], ear: NDArray[np.int16]) -> Observation:
    match = hearing.find(said, ear)
    return Observation(STEP, what, f"likeness {match.likeness:.3f}", match.is_absent)
