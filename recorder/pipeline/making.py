"""From a claimed capture to the files that will be stored: mixing, encoding and sealing, by the rooms that know how."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, cast

from santral.recorder.keys import DataKey, KeysError, SealedWriter
from santral.recorder.pipeline.layout import SEALED
from santral.recorder.storage.disk import NEW
from santral.recorder.storage.errors import StorageError, reason_of

if TYPE_CHECKING:
    from santral.recorder.encode.files import Create

DETAILS: Final = "-details.json"
FINAL: Final = ("damaged", "key", "encoding", "unexpected")  # the same would come of the next try


class PipelineError(Exception):
    """A step that cannot be done: `reason` for programs, the text for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason

    @property
    def is_final(self) -> bool:
        return self.reason in FINAL


def verdict(problem: Exception) -> PipelineError:
    """Every error of a step in one form."""
    if isinstance(problem, PipelineError):
        return problem
    if isinstance(problem, StorageError):
        return PipelineError(problem.reason, problem.text)
    if isinstance(problem, KeysError):
        return PipelineError("key", str(problem))
    if isinstance(problem, OSError):
        return PipelineError(reason_of(problem), problem.strerror or str(problem))
    return PipelineError("unexpected", f"{type(problem).__name__}: {problem}")


@dataclass(frozen=True, slots=True)
class Made:
    """One file that was made, not stored yet."""

    path: Path
    kind: str  # audio | track | peaks | picture | details
    format: str
    seconds: float = 0.0
    channels: int = 0
    rate_hz: int = 0
    track: str = ""


class Source(Protocol):
    """A claimed capture, opened."""

    tenant: str
    wrapped_key: bytes  # of the capture; none: it is not encrypted

    def mix(self) -> None:
        """Prepare the timeline. Raises `PipelineError`."""

    def save(self, folder: Path, stem: str, create: "Create | None") -> list[Made]:
        """Mix all of it and write every file. Raises `PipelineError`, OSError."""

    def facts(self) -> dict[str, Any]:
        """After `save`: started_at (UTC ms), seconds, masked_ms, is_cut, …"""

    def close(self) -> None: ...


Unwrap = Callable[[str, str, bytes], bytes]
Open = Callable[[Path, Unwrap], Source]


class CaptureSource:
    """The real one: `recorder.capture`, `recorder.mixdown` and `recorder.encode`, loaded when they are needed."""

    def __init__(self, path: Path, unwrap: Unwrap) -> None:
        from santral.recorder.capture import CaptureFile, KeyNeeded, NotACapture  # noqa: PLC0415

        try:
            self._capture = CaptureFile(path, unwrap)
        except NotACapture as problem:
            raise PipelineError("damaged", f"the capture cannot be read: {problem}") from None
        except KeyNeeded as problem:
            raise PipelineError("key", str(problem)) from None
        self.tenant = self._capture.header.tenant
        self.wrapped_key = self._capture.header.wrapped

    def mix(self) -> None:
        from santral.recorder.mixdown import Mixdown, Options  # noqa: PLC0415

        self._mix = Mixdown([self._capture], Options.of(self._capture.header.meta))

    def save(self, folder: Path, stem: str, create: "Create | None") -> list[Made]:
        from santral.recorder.capture import CaptureError  # noqa: PLC0415
        from santral.recorder.encode import EncodeError, save  # noqa: PLC0415
        from santral.recorder.encode.files import PartFile  # noqa: PLC0415

        meta = self._capture.header.meta
        try:
            written = save(
                self._mix,
                folder,
                stem,
                str(meta.get("format", "wav")),
                metadata=_texts(meta.get("metadata")),
                peaks=bool(meta.get("peaks")),
                picture=bool(meta.get("picture")),
                create=create or PartFile,
            )
        except CaptureError as problem:
            raise PipelineError("damaged", f"the capture cannot be mixed: {problem}") from None
        except EncodeError as problem:
            raise PipelineError("encoding", str(problem)) from None
        return [Made(f.path, f.kind, f.format, f.seconds, f.channels, f.rate_hz, f.track) for f in written]

    def facts(self) -> dict[str, Any]:
        summary = self._mix.summary
        return {
            "started_at": summary.started_utc_ns // 1_000_000,
            "seconds": round(summary.seconds, 3),
            "masked_ms": summary.masked_ms,
            "is_cut": not self._capture.is_complete,
            "meta": dict(self._capture.header.meta),
            "mixdown": summary.to_map(),
        }

    def close(self) -> None:
        self._capture.close()


def _texts(metadata: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in metadata.items()} if isinstance(metadata, Mapping) else {}


class SealedFile(SealedWriter):
    """A sealed file that gets its name when it is whole."""

    def __init__(self, path: Path, key: DataKey) -> None:
        self._path = path.with_name(path.name + SEALED)
        self._new = path.with_name(path.name + SEALED + NEW)
        self._under = self._new.open("w+b")
        super().__init__(cast(BinaryIO, self._under), key)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._under.close()
            self._new.replace(self._path)

    def discard(self) -> None:
        super().discard()
        self._under.close()
        self._new.unlink(missing_ok=True)


def sealing(key: DataKey) -> "Create":
    """How files are made that the disk never holds in the clear."""
    return lambda path: SealedFile(path, key)


def write_details(folder: Path, stem: str, facts: Mapping[str, Any], key: DataKey | None) -> Made:
    """What is known of a recording, beside its audio: times, who was connected, what was masked or lost."""
    path = folder / f"{stem}{DETAILS}"
    data = json.dumps(facts, indent=1, sort_keys=True, default=str, ensure_ascii=False).encode()
    from santral.recorder.encode.files import PartFile  # noqa: PLC0415 - brings FFmpeg

    with SealedFile(path, key) if key else PartFile(path) as file:
        file.write(data)
    return Made(path, "details", "json")


def close_quietly(source: Source | None) -> None:
    if source is not None:
        with suppress(OSError):
            source.close()
