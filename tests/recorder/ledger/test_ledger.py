"""The chain: whatever is done to it by who lacks the key is found, and most of what is done by who has it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from santral.recorder.ledger import Ledger, LedgerError, examine, missing_anchor, public_key

NOVEMBER_MS, DECEMBER_MS = 1_795_000_000_000, 1_797_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path, lambda: NOVEMBER_MS)
    for number in range(4):
        ledger.append("stored", {"recording": f"r{number}", "tenant": "acme", "files": []})
    return ledger


def read_lines(folder: Path) -> list[bytes]:
    (path,) = folder.glob("*.jsonl")
    return path.read_bytes().splitlines(keepends=True)


def rewrite(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    (path,) = folder.glob("*.jsonl")
    path.write_bytes(b"".join(change(read_lines(folder))))


def test_a_chain_that_nobody_touched_is_whole(ledger: Ledger, tmp_path: Path) -> None:
    entries, wrong = examine(tmp_path)
    assert wrong == []
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    assert ledger.head() == (4, entries[-1].hash)
    assert [entry.facts["recording"] for entry in ledger.entries()] == ["r0", "r1", "r2", "r3"]


def said(raw: bytes, **changes: object) -> bytes:
    told = {**json.loads(raw), **changes}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda lines: [lines[0], said(lines[1], tenant="bravo"), *lines[2:]], "changed, or signed by another key"),
        (lambda lines: [lines[0], said(lines[1], n=9), *lines[2:]], "lines are missing or moved"),
        (lambda lines: [lines[0], lines[1].replace(b'"at":', b'"at": '), *lines[2:]], "changed"),
        (lambda lines: [lines[0], *lines[2:]], "lines are missing or moved"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "lines are missing or moved"),
        (lambda lines: [*lines, lines[3]], "lines are missing or moved"),
        (lambda lines: lines[:3], "the ledger was cut short"),
        (lambda lines: [], "the ledger was cut short"),
        (lambda lines: [lines[0], b"{}\n", *lines[2:]], "not a line of a ledger"),
        (lambda lines: [lines[0], b"\n", *lines[1:]], "not a line of a ledger"),
    ],
)
def test_every_kind_of_change_is_found(
    ledger: Ledger, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], finding: str
) -> None:
    rewrite(tmp_path, change)
    assert any(finding in text for text in examine(tmp_path)[1])


def test_every_single_bit_matters(ledger: Ledger, tmp_path: Path) -> None:
    (path,) = tmp_path.glob("*.jsonl")
    whole = path.read_bytes()
    for at in range(0, len(whole), 29):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert examine(tmp_path)[1], at


def test_a_head_that_was_changed_or_taken_away_is_found(ledger: Ledger, tmp_path: Path) -> None:
    head = tmp_path / "head.json"
    kept = head.read_bytes()
    head.write_bytes(kept.replace(b'"n": 4', b'"n": 3'))
    assert any("the head" in text for text in examine(tmp_path)[1])
    head.unlink()
    assert examine(tmp_path)[1] == ["the head is missing"]


def test_a_ledger_written_anew_with_another_key_is_found_by_the_public_key(ledger: Ledger, tmp_path: Path) -> None:
    kept = public_key((tmp_path / "public.pem").read_bytes())
    shutil.rmtree(tmp_path)
    forged = Ledger(tmp_path, lambda: NOVEMBER_MS)
    for number in range(4):
        forged.append("stored", {"recording": f"r{number}", "tenant": "acme", "files": []})
    assert examine(tmp_path)[1] == []
    assert len(examine(tmp_path, kept)[1]) >= 4


def test_a_ledger_written_anew_with_the_same_key_is_found_by_an_anchor(ledger: Ledger, tmp_path: Path) -> None:
    number, digest = ledger.head()
    for path in (*tmp_path.glob("*.jsonl"), tmp_path / "head.json"):
        path.unlink()
    forged = Ledger(tmp_path, lambda: NOVEMBER_MS + 1)
    for each in range(4):
        forged.append("stored", {"recording": f"r{each}", "tenant": "acme", "files": []})
    entries, wrong = examine(tmp_path)
    assert wrong == []
    assert missing_anchor(entries, number, digest, "an anchor") == [
        "an anchor remembers another line 4: the ledger was rewritten"
    ]


def test_a_line_that_a_crash_cut_short_is_taken_off_and_the_chain_goes_on(ledger: Ledger, tmp_path: Path) -> None:
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"at":17950')
    Ledger(tmp_path, lambda: NOVEMBER_MS).append("erased", {"recording": "r0"})
    entries, wrong = examine(tmp_path)
    assert wrong == []
    assert [entry.kind for entry in entries] == ["stored"] * 4 + ["erased"]


def test_a_step_that_is_done_again_writes_no_second_line(ledger: Ledger, tmp_path: Path) -> None:
    place = ledger.place()
    first = ledger.append("stored", {"recording": "r9"}, since=place)
    again = Ledger(tmp_path).append("stored", {"recording": "r9"}, since=place)
    assert (first.number, first.hash) == (again.number, again.hash)
    assert ledger.append("erased", {"recording": "r9"}, since=place).number == first.number + 1


def test_two_writers_make_one_chain_over_months(tmp_path: Path) -> None:
    now = NOVEMBER_MS
    one, two = (Ledger(tmp_path, lambda: now) for _ in range(2))
    for number in range(6):
        (one if number % 2 else two).append("hold", {"recording": f"r{number}"})
        now = DECEMBER_MS if number == 2 else now
    assert [path.stem for path in one.months()] == ["2026-11", "2026-12"]
    entries, wrong = examine(tmp_path)
    assert wrong == []
    assert len(entries) == 6
    (tmp_path / "2026-11.jsonl").unlink()
    assert any("missing" in text for text in examine(tmp_path)[1])


def test_a_clock_set_back_does_not_tear_the_chain(tmp_path: Path) -> None:
    now = DECEMBER_MS
    ledger = Ledger(tmp_path, lambda: now)
    ledger.append("hold", {"recording": "a"})
    now = NOVEMBER_MS
    ledger.append("released", {"recording": "a"})
    assert [path.stem for path in ledger.months()] == ["2026-12"]
    assert examine(tmp_path)[1] == []


def test_without_its_key_nothing_is_added(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "private.pem").unlink()
    with pytest.raises(LedgerError):
        Ledger(tmp_path).append("hold", {"recording": "a"})
    assert (tmp_path / "public.pem").exists()


def test_the_private_key_is_for_its_owner_only(ledger: Ledger, tmp_path: Path) -> None:
    assert (tmp_path / "private.pem").stat().st_mode & 0o777 == 0o600


def test_what_is_no_entry_is_refused(ledger: Ledger) -> None:
    for kind, facts in (("sold", {}), ("stored", {"previous": "x"})):
        with pytest.raises(ValueError, match="not an entry"):
            ledger.append(kind, facts)
