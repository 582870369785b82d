"""`verify`: every kind of change, loss and swap is found, each once for all, and what is sound is left in peace."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from santral.recorder.ledger import public_key


@pytest.fixture
def three(desk: Any) -> list[str]:
    """Three stored recordings, one of them sealed."""
    recordings = [desk.capture(), desk.capture(), desk.capture("sealed")]
    assert desk.run() == []
    assert desk.findings() == []
    return recordings


def files(desk: Any, recording: str) -> list[Path]:
    return sorted(desk.kept.rglob(f"{recording}*"))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("at", [0, 1000, -1])
def test_a_flipped_bit_in_any_file(desk: Any, three: list[str], at: int) -> None:
    for recording in three:
        for path in files(desk, recording):
            kept = path.read_bytes()
            flip(path, at)
            assert desk.findings() == ["changed: the file is not the one that was stored"]
            path.write_bytes(kept)
    assert desk.findings() == []


def test_a_longer_a_shorter_and_a_missing_file(desk: Any, three: list[str]) -> None:
    path = files(desk, three[0])[0]
    kept = path.read_bytes()
    for data in (kept[:-1], kept + b"\0", b""):
        path.write_bytes(data)
        (found,) = desk.findings()
        assert found.startswith("changed: the file has")
    path.unlink()
    assert desk.findings() == ["missing: the file is not in its store"]


def test_files_that_changed_places(desk: Any, three: list[str]) -> None:
    one, two = (desk.kept / files(desk, recording)[0] for recording in three[:2])
    first, second = one.read_bytes(), two.read_bytes()
    assert first != second
    one.write_bytes(second)
    two.write_bytes(first)
    assert len(desk.findings()) == 2


def test_a_file_and_a_record_that_nobody_proved(desk: Any, three: list[str]) -> None:
    path = files(desk, three[0])[0]
    shutil.copy(path, path.with_name(path.name.replace(three[0], desk.new_id())))
    record = desk.layout.record("acme", three[0])
    shutil.copy(record, record.with_name(f"{desk.new_id()}.json"))
    assert sorted(desk.findings()) == [
        "unlisted: a file that the ledger does not know",
        "unlisted: a record that the ledger does not know",
    ]


def of_record(desk: Any, recording: str, **changes: Any) -> None:
    path = desk.layout.record("acme", recording)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"store": "elsewhere"}, "record: its record says store elsewhere, the ledger local"),
        ({"files": []}, "record: its record names other files than the ledger"),
        ({"hold": {"by": "me"}}, "record: its hold is not the one of the ledger"),
        ({"tenant": "bravo"}, "record: its record names other files than the ledger"),
        ({"key": "*"}, "record: its record cannot be read"),
        ({"unheard": 1}, "record: its record cannot be read"),
    ],
)
def test_a_changed_record(desk: Any, three: list[str], changes: dict[str, Any], finding: str) -> None:
    of_record(desk, three[0], **changes)
    assert desk.findings() == [finding]


def test_a_record_that_is_gone_or_in_another_s_place(desk: Any, three: list[str]) -> None:
    path = desk.layout.record("sealed", three[2])
    other = path.parent.parent / "01" / path.name
    other.parent.mkdir()
    path.rename(other)
    assert sorted(desk.findings()) == [
        "missing: its record is gone, and with it the data key of its files",
        "unlisted: a record in another's place",
    ]


def test_a_data_key_that_does_not_fit(desk: Any, three: list[str]) -> None:
    path = desk.layout.record("sealed", three[2])
    said = json.loads(path.read_text())
    _, wrapped = desk.settings.keyring.new("sealed", desk.new_id())
    import base64  # noqa: PLC0415

    path.write_text(json.dumps({**said, "key": base64.b64encode(wrapped).decode()}))
    (found,) = desk.findings()
    assert found.startswith("key: the data key of")


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0].replace(b'"tenant":"', b'"tenant":"x'), *lines[1:]],
        lambda lines: lines[1:],
        lambda lines: lines[:-1],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines, lines[0]],
        lambda lines: [lines[0].replace(b'"bytes":', b'"bytes":1'), *lines[1:]],
    ],
)
def test_a_changed_ledger(desk: Any, three: list[str], change: Callable[[list[bytes]], list[bytes]]) -> None:
    (path,) = desk.layout.ledger.glob("*.jsonl")
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    assert any(found.startswith("ledger:") for found in desk.findings())


def test_a_whole_past_written_anew_is_found_by_what_is_kept_outside(desk: Any, three: list[str]) -> None:
    ledger = desk.recorder().tools.ledger
    number, digest = ledger.head()
    key = public_key(ledger.public_pem().encode())
    assert desk.findings(anchor=(number, digest), key=key) == []
    shutil.rmtree(desk.layout.ledger)
    shutil.rmtree(desk.layout.records)
    shutil.rmtree(desk.kept)
    other = desk.capture()
    assert desk.run() == []
    desk.assert_stored_once(other)
    assert desk.findings(anchor=(number, digest)) == [
        f"ledger: the given anchor remembers line {number}, which is not there: the ledger was cut short"
    ]
    assert any("signed by another key" in found for found in desk.findings(key=key))
    with (desk.layout.ledger / "anchors.jsonl").open("w") as file:
        file.write(json.dumps({"entry": 1, "hash": digest, "at": 1}) + "\n")
    assert desk.findings() == ["ledger: an anchor remembers another line 1: the ledger was rewritten"]


def test_a_store_that_is_away_is_told_apart_from_a_file_that_is(desk: Any, three: list[str]) -> None:
    path = desk.layout.record("acme", three[0])
    assert path.exists()
    shutil.move(desk.kept, desk.folder / "unmounted")
    desk.kept.write_text("no folder")
    found = desk.findings()
    assert len(found) == 6
    assert all(each.startswith(("missing:", "unreachable:")) for each in found)


def test_files_of_some_recordings_only(desk: Any, three: list[str]) -> None:
    files(desk, three[0])[0].unlink()
    assert desk.findings(recordings=frozenset({three[1]})) == []
    assert len(desk.findings(recordings=frozenset({three[0]}))) == 1
