"""Captures made of arbitrary packets and notes, and what must be read of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from santral.recorder.capture import MASKED, Batch, CaptureHeader, CaptureKey, CaptureWriter

DATA_KEY = b"0123456789abcdef0123456789ABCDEF"
KEY = CaptureKey(DATA_KEY, b"as its owner wrapped it")
HEADER = CaptureHeader(
    "01900000-rec", "acme", "node-1", 5_000_000_000, 1_795_000_000_000_000_000, "synchronised", {"a": [1]}
)


def unwrap(tenant: str, recording: str, wrapped: bytes) -> bytes:
    assert (tenant, recording, wrapped) == (HEADER.tenant, HEADER.recording, KEY.wrapped)
    return DATA_KEY


@dataclass(frozen=True)
class Said:
    """One packet as it was put in."""

    stream: int
    arrival_ns: int
    timestamp: int
    ssrc: int
    sequence: int
    codec: int
    payload: bytes
    marker: bool
    masked: bool
    payload_type: int


@dataclass(frozen=True)
class Noted:
    at_ns: int
    kind: str
    fields: dict[str, Any] = field(default_factory=dict)


class Cut:
    """The writer ends its chunk here."""


Put = Said | Noted | Cut

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
TIMES = st.integers(0, 2**62)
said = st.builds(
    Said, U16, TIMES, U32, U32, U16, st.integers(0, 255), st.binary(max_size=400), st.booleans(), st.booleans(),
    st.integers(0, 127),
)  # fmt: skip
noted = st.builds(
    Noted, TIMES, st.sampled_from(["hold", "party", "something"]),
    st.dictionaries(st.sampled_from("abc"), U16 | st.text(max_size=9)),
)  # fmt: skip
puts = st.lists(said | noted | st.builds(Cut), max_size=30)


def write(path: Path, what: list[Put], key: CaptureKey | None = None, *, end: str | None = None) -> list[list[Put]]:
    """What each chunk holds, the opening one (without any of `what`) included."""
    chunks: list[list[Put]] = [[], []]
    with CaptureWriter(path, HEADER, key) as writer:
        for one in what:
            match one:
                case Cut():
                    writer.cut()
                    if chunks[-1]:
                        chunks.append([])
                    continue
                case Said():
                    writer.packet(
                        one.stream,
                        one.arrival_ns,
                        one.timestamp,
                        one.ssrc,
                        one.sequence,
                        one.codec,
                        one.payload,
                        marker=one.marker,
                        masked=one.masked,
                        payload_type=one.payload_type,
                    )
                case Noted():
                    writer.note(one.at_ns, one.kind, **one.fields)
            chunks[-1].append(one)
        if end is not None:
            writer.end(7, end)
    return chunks if chunks[-1] else chunks[:-1]


def seen(batch: Batch) -> list[tuple[Any, ...]]:
    """Packets as tuples, in the file's order."""
    rows = batch.packets
    names = "stream", "arrival_ns", "timestamp", "ssrc", "sequence", "codec", "flags", "payload_type", "octets"
    return [(*(int(rows[name][i]) for name in names), batch.payload(i)) for i in range(len(rows))]


def expected(what: list[Put]) -> list[tuple[Any, ...]]:
    return [
        (
            s.stream, s.arrival_ns, s.timestamp, s.ssrc, s.sequence, s.codec, s.marker | s.masked * MASKED,
            s.payload_type, len(s.payload), b"" if s.masked else s.payload,
        )
        for s in what
        if isinstance(s, Said)
    ]  # fmt: skip


def notes(batch: Batch) -> list[Noted]:
    return [Noted(n.at_ns, n.kind, dict(n.fields)) for n in batch.notes if n.kind not in {"meta", "end"}]


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Path]:
    """A path where nothing is yet, as often as asked (hypothesis runs a test many times)."""
    count = iter(range(10**9))
    return lambda: tmp_path / f"{next(count)}.capture"
