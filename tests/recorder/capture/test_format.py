"""What is put into a capture comes out of it, in any portions, plain or sealed, by the bytes of the document."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from santral.recorder.capture import (
    CaptureFile,
    CaptureHeader,
    CaptureKey,
    CaptureWriter,
    KeyNeeded,
    NotACapture,
    is_being_written,
    reader,
)

from .conftest import DATA_KEY, HEADER, KEY, Cut, Noted, Put, Said, expected, notes, puts, seen, unwrap, write

CHEAP = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PACKET = Said(3, 10**10, 0xFFFF_FFF0, 0xCAFE, 65535, 2, b"spoken", marker=True, masked=False, payload_type=8)


@pytest.mark.parametrize("key", [None, KEY])
@CHEAP
@given(what=puts, limit=st.none() | st.integers(1, 2000))
def test_what_goes_in_comes_out(
    fresh: Callable[[], Path], key: CaptureKey | None, what: list[Put], limit: int | None
) -> None:
    write(path := fresh(), what, key, end="hung up")
    packets, found = [], []
    with CaptureFile(path, unwrap) as capture:
        assert capture.header.meta == HEADER.meta
        while batch := capture.read(limit):
            packets += seen(batch)
            found += notes(batch)
        assert (capture.is_complete, capture.end_reason, capture.damage) == (True, "hung up", [])
        assert capture.unread_bytes == 0
    assert packets == expected(what)
    assert found == [one for one in what if isinstance(one, Noted)]


@CHEAP
@given(what=puts)
def test_a_growing_file_is_read_as_it_grows(fresh: Callable[[], Path], what: list[Put]) -> None:
    with CaptureWriter(path := fresh(), HEADER) as writer, CaptureFile(path) as capture:
        assert is_being_written(path)
        packets, due = [], []
        for one in what:
            if isinstance(one, Said):
                writer.packet(0, one.arrival_ns, 0, 0, 0, 0, one.payload)
                due.append(one.payload)
            elif isinstance(one, Cut):
                writer.cut()
                batch = capture.read()
                packets += [batch.payload(i) for i in range(len(batch.packets))]
                assert packets == due
        assert not capture.is_complete
        writer.end(1, "")
        batch = capture.read()
        assert packets + [batch.payload(i) for i in range(len(batch.packets))] == due
        assert capture.is_complete
        assert not is_being_written(path)


def test_the_bytes_are_those_of_the_document(tmp_path: Path) -> None:
    """Read by struct, msgpack and zlib alone."""
    write(path := tmp_path / "x.capture", [PACKET], end="over")
    data = path.read_bytes()
    magic, version, flags, length, crc = struct.unpack_from("<8sHHII", data)
    assert (magic, version, flags) == (b"\x89SCAP\r\n\x1a", 1, 0)
    assert crc == zlib.crc32(data[20 : 20 + length], zlib.crc32(data[:16]))
    assert msgpack.unpackb(data[20 : 20 + length]) == {
        "recording": HEADER.recording,
        "tenant": "acme",
        "node": "node-1",
        "monotonic_ns": HEADER.monotonic_ns,
        "utc_ns": HEADER.utc_ns,
        "clock": "synchronised",
    }
    assert data[20 + length : 40 + 2 * length] == data[: 20 + length]
    at, bodies = 40 + 2 * length, []
    while at < len(data):
        word, size, number, body_crc, head_crc = struct.unpack_from("<4sIQII", data, at)
        assert (word, number, head_crc) == (b"chnk", len(bodies), zlib.crc32(data[at : at + 20]))
        bodies.append(data[at + 24 : at + 24 + size])
        assert zlib.crc32(bodies[-1]) == body_crc
        at += 24 + size
    assert struct.unpack_from("<BBHIq", bodies[0]) == (2, 0, 0, len(bodies[0]), HEADER.monotonic_ns)
    assert msgpack.unpackb(bodies[0][16:]) == {"kind": "meta", "a": [1]}
    packet = struct.unpack_from("<BBHIqIIHBBHH", bodies[1])
    assert packet == (1, 1, 3, 38, 10**10, 0xFFFF_FFF0, 0xCAFE, 65535, 2, 8, 6, 0)
    assert bodies[1][32:38] == b"spoken"
    assert msgpack.unpackb(bodies[1][38 + 16 :]) == {"kind": "end", "reason": "over"}


def test_sealed_chunks_are_those_of_the_document(tmp_path: Path) -> None:
    write(path := tmp_path / "x.capture", [PACKET], KEY)
    data = path.read_bytes()
    assert b"spoken" not in data
    assert b"meta" not in data
    length = struct.unpack_from("<I", data, 12)[0]
    fields = msgpack.unpackb(data[20 : 20 + length])
    assert struct.unpack_from("<H", data, 10) == (1,)
    assert (fields["cipher"], fields["wrapped"], len(fields["salt"])) == ("AES-256-GCM", KEY.wrapped, 4)
    at = 40 + 2 * length
    at += 24 + struct.unpack_from("<4xI", data, at)[0]
    stored = data[at + 24 :]
    nonce, bound = fields["salt"] + struct.pack("<Q", 1), data[at : at + 16] + HEADER.recording.encode()
    assert AESGCM(DATA_KEY).decrypt(nonce, stored, bound)[32:] == b"spoken"


def test_an_encrypted_capture_shows_its_header_only(tmp_path: Path) -> None:
    write(path := tmp_path / "x.capture", [PACKET], KEY)
    with CaptureFile(path) as capture:
        assert (capture.header.recording, capture.header.wrapped, capture.header.meta) == (
            "01900000-rec",
            KEY.wrapped,
            {},
        )
        with pytest.raises(KeyNeeded):
            capture.read()
    with pytest.raises(KeyNeeded):
        CaptureFile(path, lambda *_: bytes(32))


def test_a_chunk_cannot_change_its_place(tmp_path: Path) -> None:
    """Of the same recording: the seal knows its number; of another: its key differs, and so does what is sealed in."""
    write(path := tmp_path / "x.capture", [PACKET, Cut(), PACKET], KEY)
    data = path.read_bytes()
    second = data.rindex(b"chnk")
    first = data.rindex(b"chnk", 0, second)
    path.write_bytes(data[:first] + data[second:] + data[first:second])
    with CaptureFile(path, unwrap) as capture:
        capture.read()
        assert "missing" in {damage.why for damage in capture.damage}
    head, body = data[second : second + 24], data[first + 24 : second]
    path.write_bytes(data[:first] + head[:16] + data[first + 16 : first + 20] + struct.pack("<I", 0) + body)
    forged = bytearray(path.read_bytes())
    forged[first + 20 : first + 24] = struct.pack("<I", zlib.crc32(forged[first : first + 20]))
    path.write_bytes(bytes(forged))
    with CaptureFile(path, unwrap) as capture:
        assert not len(capture.read().packets)
        assert [damage.why for damage in capture.damage] == ["seal"]


@pytest.mark.parametrize("data", [b"", b"RIFF" + bytes(100), b"\x89SCAP\r\n\x1a"])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (path := tmp_path / "x").write_bytes(data)
    with pytest.raises(NotACapture):
        CaptureFile(path)


def test_a_later_version_is_refused_by_name(tmp_path: Path) -> None:
    write(path := tmp_path / "x", [])
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, 8, 2)
    length = struct.unpack_from("<I", data, 12)[0]
    struct.pack_into("<I", data, 16, zlib.crc32(data[20 : 20 + length], zlib.crc32(data[:16])))
    path.write_bytes(data)
    with pytest.raises(NotACapture, match="version 2"):
        CaptureFile(path)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    write(path := tmp_path / "x", [PACKET])
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        CaptureWriter(path, HEADER)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_times_are_utc_by_the_pair_in_the_header() -> None:
    header = CaptureHeader.now("r", "t", "n")
    assert header.utc_of(header.monotonic_ns + 5) == header.utc_ns + 5
    assert header.clock in {"synchronised", "unsynchronised", "unknown"}


@pytest.mark.parametrize(("data", "wrapped"), [(b"short", b"w"), (bytes(32), b""), (bytes(32), bytes(1025))])
def test_keys_have_their_lengths(data: bytes, wrapped: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        CaptureKey(data, wrapped)


def test_keys_show_nowhere() -> None:
    assert "0123" not in repr(KEY)


def test_a_long_file_is_put_together_from_its_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "READ_BYTES", 500)
    what: list[Put] = []
    for n in range(50):
        what += [replace(PACKET, payload=b"%d" % n * (n % 7), sequence=n), Noted(n, "party", {"n": n}), Cut()]
    write(path := tmp_path / "x.capture", what, end="")
    with CaptureFile(path) as capture:
        batch = capture.read()
        assert not capture.read()
    assert seen(batch) == expected(what)
    assert [note.fields["n"] for note in batch.notes if note.kind == "party"] == list(range(50))
