"""Opening captures: the file's place, what its header says for whoever finishes it, and its key."""

import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from santral.engine.recordings.recording import Tape, Wish
from santral.recorder.capture import CaptureHeader, CaptureKey
from santral.recorder.capture.opening import sweep_unmade
from santral.recorder.keys import Keyring

if TYPE_CHECKING:
    from santral.engine.media import CaptureEvent, MediaPlane

FOLDER: Final = "captures"
SUFFIX: Final = ".capture"
MAX_CUSTOM, MAX_NAME, MAX_VALUE = (
    32,
    64,
    256,
)  # of what routes, applications and clients put on a call: entries, characters
VIEW: Final = "as it came and went on the wire"


class Captures:
    """The folder of captures, and the keys that they are sealed with."""

    def __init__(self, plane: "MediaPlane", data_dir: Path, node: str) -> None:
        self.folder: Final = data_dir / FOLDER
        self.keyring = Keyring({})
        self._plane, self._node = plane, node

    def prepare(self) -> None:
        """Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, recording: str) -> Path:
        return self.folder / f"{recording}{SUFFIX}"

    def discard(self, recording: str) -> None:
        """Nothing is to be made of it. Raises OSError."""
        self.path(recording).unlink(missing_ok=True)

    def left_behind(self) -> list[str]:
        """Captures that are there: at the start, those of an earlier run. Raises OSError."""
        return sorted(file.stem for file in self.folder.glob(f"*{SUFFIX}"))

    def sweep(self) -> tuple[list[str], bool]:
        """Names of what was only being made when an earlier engine died, now away; and whether to look again soon.

        Raises OSError.
        """
        gone, is_young = sweep_unmade(self.folder, time.time())
        return [path.name for path in gone], is_young

    def open(self, recording: str, wish: Wish, on_event: Callable[["CaptureEvent"], None]) -> Tape:
        """Raises KeysError when its tenant's key does not work."""
        header = CaptureHeader.now(recording, wish.tenant, self._node, meta_of(wish))
        tape: Tape = self._plane.captures.open(
            self.path(recording), header, key=self._key(wish.tenant, recording), on_event=on_event
        )
        return tape

    def _key(self, tenant: str, recording: str) -> CaptureKey | None:
        if not self.keyring.encrypts(tenant):
            return None
        key, wrapped = self.keyring.new(tenant, recording)
        return CaptureKey(key.capture(), wrapped)


def meta_of(wish: Wish) -> Mapping[str, Any]:
    """What whoever finishes the capture must know, with or without the engine."""
    manner = wish.manner
    known = {
        "call": wish.call or "",
        "conference": wish.conference,
        "caller": wish.caller,
        "called": wish.called,
        "queue": wish.queue,
        "message": wish.message,
        "recorded_by": wish.by,
        "view": VIEW,
        **{f"custom.{name[:MAX_NAME]}": value[:MAX_VALUE] for name, value in islice(wish.custom.items(), MAX_CUSTOM)},
    }
    return {
        "tenant": wish.tenant,
        "format": manner.format,
        "channels": wish.channels,
        "tracks": "tracks" in manner.extras,
        "digits": manner.digits,
        "peaks": "peaks" in manner.extras,
        "picture": "picture" in manner.extras,
        "metadata": {name: value for name, value in known.items() if value},
    }
