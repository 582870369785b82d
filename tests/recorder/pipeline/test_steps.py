"""The way of one recording, and every place on it where a process may die."""

from typing import Any

import pytest

from santral.recorder.pipeline.making import SealedFile
from santral.recorder.pipeline.steps import NAMES
from santral.recorder.storage import StoreSettings

SIGKILLED = -9
POINTS = [point for name in NAMES[:-1] for point in (name, f"{name}.done")] + ["stored.half"]


@pytest.mark.parametrize("tenant", ["acme", "sealed"])
def test_a_capture_becomes_a_stored_recording(desk: Any, tenant: str) -> None:
    recording = desk.capture(tenant, metadata={"caller": "+905551112233"})
    assert desk.run() == []
    desk.assert_stored_once(recording, tenant)
    report = desk.reports()[f"{recording}.ready"]
    assert report["store"] == "local"
    assert report["encrypted"] is (tenant == "sealed")
    assert (report["pending"], report["recovered"]) == (False, False)
    assert report["seconds"] == pytest.approx(0.5, abs=0.02)
    kinds = {file["kind"] for file in report["files"]}
    assert kinds == {"audio", "details"}
    stored = b"".join(path.read_bytes() for path in desk.kept.rglob("*") if path.is_file())
    assert (b"RIFF" in stored) is (tenant == "acme")
    assert (b"+905551112233" in stored) is (tenant == "acme")


@pytest.mark.parametrize("form", ["wav", "flac", "opus", "mp3"])
def test_sealed_recordings_never_lie_in_the_clear(desk: Any, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever a file is finished, whatever else is on the disk, drafts too, is sealed."""
    seen: list[bytes] = []
    close = SealedFile.close

    def look(file: SealedFile) -> None:
        seen.extend(path.read_bytes() for path in desk.layout.jobs.rglob("*") if path.is_file())
        close(file)

    monkeypatch.setattr(SealedFile, "close", look)
    recording = desk.capture("sealed", format=form, peaks=True, picture=True, metadata={"caller": "+905551112233"})
    assert desk.run() == []
    assert len(seen) > 10
    for mark in (b"RIFF", b"fLaC", b"OggS", b"ID3", b"PNG", b"+905551112233", b"leg-1"):
        assert not any(mark in data for data in seen)
    kinds = {file["kind"] for file in desk.reports()[f"{recording}.ready"]["files"]}
    assert kinds == {"audio", "peaks", "picture", "details"}
    if form == "wav":
        desk.assert_stored_once(recording, "sealed")


def test_what_lies_elsewhere_names_nobody(desk: Any) -> None:
    """Ledger and records are kept, or lie unsealed: no numbers in them."""
    desk.capture("sealed", metadata={"caller": "+905551112233"})
    assert desk.run() == []
    for folder in (desk.layout.ledger, desk.layout.records):
        for path in folder.rglob("*"):
            assert not path.is_file() or b"905551112233" not in path.read_bytes()


@pytest.mark.parametrize(
    ("point", "tenant"), [(point, "sealed") for point in POINTS] + [(point, "acme") for point in POINTS[8:14]]
)
def test_killed_at_any_point_it_ends_stored_once(desk: Any, point: str, tenant: str) -> None:
    recording = desk.capture(tenant)
    assert desk.run_apart(f"{point}:kill") == SIGKILLED
    assert desk.run_apart() == 0
    desk.assert_stored_once(recording, tenant)
    report = desk.reports()[f"{recording}.ready"]
    assert report["recovered"] is True
    assert report["recovered_from"] == ["recorder"]


def test_killed_again_and_again_it_still_ends_stored_once(desk: Any) -> None:
    recording = desk.capture()
    for point in ("mixed.done", "sealed", "stored.half", "deleted.done"):
        assert desk.run_apart(f"{point}:kill") == SIGKILLED
    assert desk.run_apart() == 0
    desk.assert_stored_once(recording)


def test_what_kills_every_process_is_given_up_until_somebody_recovers_it(desk: Any) -> None:
    recording, other = desk.capture(), desk.capture("sealed")
    deaths = 0
    while desk.run_apart("encoded:kill") == SIGKILLED:
        deaths += 1
        assert deaths < 20
    desk.run()
    report = desk.reports()[f"{recording}.failed"]
    assert (report["reason"], report["final"], report["capture_kept"]) == ("unexpected", True, True)
    recorder = desk.recorder()
    recorder.forgive()
    assert recorder.run_once() == []
    for each in (recording, other):
        assert f"{each}.ready" in desk.reports()
    assert desk.findings() == []


@pytest.mark.parametrize("tenant", ["acme", "sealed"])
def test_a_capture_whose_engine_died_is_finished_and_says_so(desk: Any, tenant: str) -> None:
    recording = desk.capture(tenant, cut=True)
    path = desk.layout.capture(recording)
    path.write_bytes(path.read_bytes()[:-700])  # in the middle of a chunk
    assert desk.run() == []
    desk.assert_stored_once(recording, tenant)
    report = desk.reports()[f"{recording}.ready"]
    assert report["recovered"] is True
    assert report["recovered_from"] == ["capture"]


def test_a_capture_that_grows_is_left_alone(desk: Any) -> None:
    from santral.recorder.capture import CaptureHeader, CaptureWriter  # noqa: PLC0415

    recording = desk.new_id()
    header = CaptureHeader.now(recording, "acme", "node-1", {"tenant": "acme"})
    with CaptureWriter(desk.layout.capture(recording), header) as writer:
        assert desk.run() == []
        assert desk.reports() == {}
        writer.end(header.monotonic_ns + 1, "hangup")
    assert desk.run() == []
    assert f"{recording}.ready" in desk.reports()


def test_two_recorders_do_one_recording_once(desk: Any) -> None:
    recordings = [desk.capture() for _ in range(6)]
    first, second = desk.recorder("encoded:delay=0.05"), desk.recorder("encoded:delay=0.05")
    for each in recordings:
        first.start(each)
        second.start(each)
    while first.counts()["jobs"] or second.counts()["jobs"]:
        pass
    assert desk.run() == []
    for each in recordings:
        desk.assert_stored_once(each)


def test_a_recorder_told_to_stop_puts_everything_down_and_the_next_recovers_nothing(desk: Any) -> None:
    recording = desk.capture()
    recorder = desk.recorder("sealed:delay=0.2")
    recorder.start(recording)
    recorder.stop()
    assert desk.reports() == {}
    assert desk.run() == []
    desk.assert_stored_once(recording)
    assert desk.reports()[f"{recording}.ready"]["recovered"] is False


@pytest.mark.parametrize("point", ["moved", "moved.half", "moved.done"])
def test_killed_while_it_is_brought_to_its_store(desk: Any, point: str) -> None:
    away = desk.folder / "away"
    desk.with_store("share", StoreSettings(away.as_uri()))
    recording = desk.capture("sealed")
    assert desk.run_apart() == 0
    report = desk.reports()[f"{recording}.ready"]
    assert (report["store"], report["pending"]) == ("local", True)
    away.mkdir()
    assert desk.run_apart(f"{point}:kill") == SIGKILLED
    assert desk.run_apart() == 0
    desk.assert_stored_once(recording, "sealed")
    assert desk.reports()[f"{recording}.moved"]["store"] == "share"
    assert desk.names(desk.kept) == []
