"""Every fault of disks and stores: a recording ends stored once, or is reported failed with its capture kept."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from santral.recorder.pipeline import LOCAL
from santral.recorder.pipeline.recorder import SAFE
from santral.recorder.pipeline.steps import NAMES
from santral.recorder.storage import StoreSettings

SIGKILLED = -9
ERRNOS = [("ENOSPC", "full"), ("EROFS", "read_only"), ("ENOENT", "gone"), ("EACCES", "denied"), ("EIO", "broken")]


def failed(desk: Any, recording: str) -> dict[str, Any]:
    report: dict[str, Any] = desk.reports()[f"{recording}.failed"]
    return report


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_full_disk_at_every_step(desk: Any, name: str) -> None:
    recording = desk.capture("sealed")
    for point in (name, f"{name}.done"):
        desk.run(f"{point}:fail=ENOSPC")
        if NAMES[max(0, NAMES.index(name) - 1)] not in SAFE:
            report = failed(desk, recording)
            assert (report["reason"], report["step"], report["capture_kept"]) == ("full", name, True)
            assert not report["final"]
    assert desk.run() == []
    desk.assert_stored_once(recording, "sealed")
    assert desk.reports()[f"{recording}.ready"]["recovered"] is False  # nothing died


@pytest.mark.parametrize(("number", "reason"), ERRNOS)
def test_a_store_that_refuses(desk: Any, number: str, reason: str) -> None:
    recording = desk.capture()
    assert desk.run(f"stored.half:fail={number}") == [recording]
    assert failed(desk, recording)["reason"] == reason
    assert desk.names(desk.kept) == []
    assert desk.run() == []
    desk.assert_stored_once(recording)


def test_a_fault_that_passes_is_not_even_reported(desk: Any) -> None:
    recording = desk.capture()
    assert desk.run("stored.half:fail=ECONNRESET*1") == []
    desk.assert_stored_once(recording)


def test_the_folder_is_gone(desk: Any) -> None:
    recording = desk.capture()
    desk.kept.write_text("a file")
    assert desk.run() == [recording]
    assert failed(desk, recording)["reason"] == "gone"
    desk.kept.unlink()
    assert desk.run() == []
    desk.assert_stored_once(recording)


def test_a_failure_is_reported_once_for_each_reason_and_tried_again_by_itself(desk: Any) -> None:
    recording = desk.capture()
    recorder = desk.recorder("stored.half:fail=ENOSPC*2")
    assert recorder.run_once() == [recording]
    assert recorder.tools.outbox.fresh() == [f"{recording}.failed"]
    assert recorder.run_once() == [recording]
    assert recorder.tools.outbox.fresh() == []
    assert recorder.run_once() == []
    desk.assert_stored_once(recording)


def test_it_waits_longer_each_time(desk: Any) -> None:
    recording = desk.capture()
    desk.settings = replace(desk.settings, retry=replace(desk.settings.retry, first_s=100.0, most_s=1000.0))
    recorder = desk.recorder("claimed:fail=ENOSPC")
    recorder.run_once()
    assert recorder.scan() == []
    assert recorder.scan(everything=True) == [recording]
    assert recorder.counts() == {"jobs": 0, "waiting": 1, "pending": 0}


def test_a_slow_disk_holds_up_only_what_is_on_it(desk: Any) -> None:
    slow, quick = desk.capture(), desk.capture()
    recorder = desk.recorder("encoded:delay=0.5*1")
    recorder.start(slow)
    while recorder.tools.faults._rules[0].left:  # the first is in the delay
        pass
    done = recorder.start(quick)
    assert done is not None
    done.result()
    while f"{quick}.ready" not in recorder.tools.outbox.names():
        pass
    assert f"{slow}.ready" not in recorder.tools.outbox.names()
    recorder.stop()
    assert desk.run() == []
    desk.assert_stored_once(slow)
    desk.assert_stored_once(quick)


def test_a_capture_that_cannot_be_read_is_kept_and_left_alone(desk: Any) -> None:
    recording = desk.new_id()
    desk.layout.capture(recording).write_bytes(b"this is no capture" * 100)
    assert desk.run() == [recording]
    report = failed(desk, recording)
    assert (report["reason"], report["final"], report["capture_kept"]) == ("damaged", True, True)
    recorder = desk.recorder()
    assert recorder.scan() == [recording]  # once at every start
    recorder.run_once()
    assert recorder.scan() == []
    assert len(list(desk.layout.jobs.rglob("*.capture"))) == 1


def test_a_tenant_whose_key_is_gone(desk: Any) -> None:
    recording = desk.capture("sealed")
    tenants = desk.settings.tenants
    desk.settings = replace(desk.settings, tenants={**tenants, "sealed": replace(tenants["sealed"], keys=("33" * 32,))})
    assert desk.run() == [recording]
    assert (failed(desk, recording)["reason"], failed(desk, recording)["capture_kept"]) == ("key", True)
    desk.settings = replace(desk.settings, tenants=tenants)
    assert desk.run() == []
    desk.assert_stored_once(recording, "sealed")


# ---- another store, with the local one behind it ----


def test_a_share_that_is_away_is_stood_in_for_and_gets_everything_later(desk: Any) -> None:
    share = desk.folder / "share"
    desk.with_store("share", StoreSettings(share.as_uri()))
    recordings = [desk.capture(), desk.capture("sealed")]
    assert desk.run() == []
    for recording in recordings:
        report = desk.reports()[f"{recording}.ready"]
        assert (report["store"], report["pending"]) == (LOCAL, True)
    assert desk.names(desk.layout.captures) == []
    assert desk.findings() == []
    share.mkdir()
    recorder = desk.recorder()
    assert recorder.run_once() == []
    for recording, tenant in zip(recordings, ("acme", "sealed"), strict=True):
        desk.assert_stored_once(recording, tenant)
        assert desk.reports()[f"{recording}.moved"]["store"] == "share"
    assert desk.names(desk.kept) == []


def test_where_neither_takes_it_the_capture_is_kept(desk: Any) -> None:
    desk.with_store("share", StoreSettings((desk.folder / "share").as_uri()))
    recording = desk.capture()
    desk.kept.write_text("a file")
    assert desk.run() == [recording]
    assert failed(desk, recording)["capture_kept"] is True
    desk.kept.unlink()
    (desk.folder / "share").mkdir()
    assert desk.run() == []
    desk.assert_stored_once(recording)


def test_what_was_stored_wrongly_is_stored_again(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    share = desk.folder / "share"
    share.mkdir()
    desk.with_store("share", StoreSettings(share.as_uri()))
    recording = desk.capture()
    recorder = desk.recorder("confirmed:delay=0")
    put = recorder.tools.stores.get("share").put

    def spoil(source: Path, name: str, *, halfway: Any) -> None:
        put(source, name, halfway=halfway)
        target = share / name
        data = target.read_bytes()
        target.unlink()
        target.write_bytes(data[:-1] + b"?")

    monkeypatch.setattr(recorder.tools.stores.get("share"), "put", spoil)
    assert recorder.run_once() == []
    recorder.stop()
    assert desk.reports()[f"{recording}.ready"]["store"] == LOCAL
    assert desk.run() == []
    desk.assert_stored_once(recording)


@pytest.fixture(params=["s3", "sftp"])
def remote(request: pytest.FixtureRequest, desk: Any) -> Iterator[Any]:
    """The desk with a server's store, and a way to take the server away."""
    server = request.getfixturevalue("s3" if request.param == "s3" else "ssh")
    desk.server = server
    desk.with_store("far", server.settings())
    return desk


def away(desk: Any) -> None:
    """The store's server does not listen any more."""
    far = desk.settings.stores["far"]
    port = str(desk.server.port)
    client = {**far.options.get("client_kwargs", {})}
    if client:
        client["endpoint_url"] = client["endpoint_url"].replace(port, "9")
        options = {**far.options, "client_kwargs": client}
    else:
        options = far.options
    desk.with_store("far", replace(far, url=far.url.replace(port, "9"), options=options, timeout_s=2.0))


def test_a_server_end_to_end(remote: Any) -> None:
    recording = remote.capture()
    assert remote.run() == []
    remote.assert_stored_once(recording)
    assert remote.names(remote.kept) == []
    report = remote.reports()[f"{recording}.ready"]
    assert (report["store"], report["pending"]) == ("far", False)


@pytest.mark.parametrize("point", ["stored.half", "confirmed.done"])
def test_killed_on_the_way_to_a_server(remote: Any, point: str) -> None:
    recording = remote.capture("sealed")
    assert remote.run_apart(f"{point}:kill") == SIGKILLED
    assert remote.run() == []
    remote.assert_stored_once(recording, "sealed")
    assert remote.names(remote.kept) == []


def test_a_server_that_is_away_and_comes_back(remote: Any) -> None:
    there = remote.settings.stores["far"]
    away(remote)
    recording = remote.capture("sealed")
    assert remote.run() == []
    assert remote.reports()[f"{recording}.ready"]["pending"] is True
    remote.with_store("far", there)
    assert remote.run_apart("moved.half:kill") == SIGKILLED
    assert remote.run() == []
    remote.assert_stored_once(recording, "sealed")
    assert remote.names(remote.kept) == []


def test_it_went_away_after_it_had_taken_the_files(remote: Any) -> None:
    """Copies of an earlier try must not be left where the recording is not."""
    recording = remote.capture()
    there = remote.settings.stores["far"]
    assert remote.run_apart("stored.done:kill") == SIGKILLED
    away(remote)
    assert remote.run() == []
    assert remote.reports()[f"{recording}.ready"]["store"] == LOCAL
    remote.with_store("far", there)
    assert remote.run() == []
    remote.assert_stored_once(recording)


def test_wrong_credentials(remote: Any, s3_guard: Any) -> None:
    """Refused by the server, taken here, and brought there when they are right."""
    there = remote.settings.stores["far"]
    if "key" in there.options:
        wrong = replace(there, options={**there.options, "key": "AKIAWRONGWRONGWRONG1"})
    else:
        wrong = replace(there, options={**there.options, "client_keys": [str(remote.server.folder / "stranger")]})
    remote.with_store("far", wrong)
    recording = remote.capture("sealed")
    with s3_guard(remote.server):
        recorder = remote.recorder()
        assert recorder.run_once() == []
        report = remote.reports()[f"{recording}.ready"]
        assert (report["pending"], report["refusal"]["reason"]) == (True, "denied")
        recorder.stop()
    remote.with_store("far", there)
    assert remote.run() == []
    remote.assert_stored_once(recording, "sealed")


# ---- a disk of our own ----


@pytest.fixture
def small_disk(desk: Any, tmp_path: Path) -> Iterator[Path]:
    """The data folder is a file system of 256 KiB."""
    data = desk.settings.data_dir
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(data)], check=False).returncode
    ):
        pytest.skip("no mounts here")
    for folder in desk.layout.all():
        folder.mkdir()
    yield data
    desk.close()
    subprocess.run(["umount", "-l", str(data)], check=True)


def test_a_disk_without_a_free_block(desk: Any, small_disk: Path) -> None:
    recording = desk.capture()
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(small_disk).free == 0
    recorder = desk.recorder()
    assert recorder.run_once() == [recording]
    report = recorder.tools.outbox.get(f"{recording}.failed")
    assert report is not None  # though the disk did not take it
    assert (report["reason"], report["capture_kept"]) == ("full", True)
    filler.unlink()
    assert recorder.run_once() == []
    recorder.stop()
    desk.assert_stored_once(recording)


def test_a_disk_that_became_read_only(desk: Any, small_disk: Path) -> None:
    recording = desk.capture()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    recorder = desk.recorder()
    assert recorder.run_once() == [recording]
    report = recorder.tools.outbox.get(f"{recording}.failed")
    assert report is not None
    assert (report["reason"], report["capture_kept"]) == ("read_only", True)
    recorder.stop()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert desk.run() == []
    desk.assert_stored_once(recording)


def test_the_data_folder_vanished(desk: Any) -> None:
    recording = desk.capture()
    recorder = desk.recorder()
    shutil.move(desk.settings.data_dir, desk.folder / "unmounted")
    assert recorder.scan() == []
    shutil.move(desk.folder / "unmounted", desk.settings.data_dir)
    assert recorder.run_once() == []
    desk.assert_stored_once(recording)
