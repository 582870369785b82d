"""Erase, hold, release, retention, other keys: carried out once, held back by a hold, proved in the ledger."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from santral.recorder.capture import CaptureHeader, CaptureWriter
from santral.recorder.keys import KeysError
from santral.recorder.pipeline import TenantSettings
from santral.recorder.pipeline.orders import order_expired, rewrap
from santral.recorder.pipeline.reading import Library, NotFoundError
from santral.recorder.storage import StoreSettings

SIGKILLED = -9


def order(desk: Any, kind: str, recording: str, tenant: str = "acme") -> None:
    desk.recorder().orders.take(kind, recording, {"tenant": tenant, "by": "ayse", "reason": "asked to"})


def kinds(desk: Any, recording: str) -> list[str]:
    ledger = desk.recorder().tools.ledger
    return [entry.kind for entry in ledger.entries() if entry.facts.get("recording") == recording]


def assert_erased(desk: Any, recording: str, tenant: str = "acme") -> None:
    assert desk.names(desk.kept) == []
    assert desk.names(desk.layout.jobs) == []
    assert desk.names(desk.layout.orders) == []
    assert desk.names(desk.layout.captures) == []
    with pytest.raises(NotFoundError):
        Library(desk.settings).open(tenant, recording)
    report = desk.reports()[f"{recording}.erased"]
    assert (report["by"], report["reason"]) == ("ayse", "asked to")
    (proof,) = [each for each in desk.recorder().tools.ledger.entries() if each.kind == "erased"]
    assert (proof.number, proof.hash) == (report["entry"], report["hash"])
    assert desk.findings() == []


@pytest.mark.parametrize("tenant", ["acme", "sealed"])
def test_erasing_leaves_nothing_but_the_proof(desk: Any, tenant: str) -> None:
    recording = desk.capture(tenant)
    desk.run()
    key = desk.recorder().tools.records.get(tenant, recording).key
    order(desk, "erase", recording, tenant)
    assert desk.run() == []
    assert_erased(desk, recording, tenant)
    assert kinds(desk, recording) == ["stored", "erased"]
    if key:
        import base64  # noqa: PLC0415

        for path in desk.folder.rglob("*"):
            assert not path.is_file() or base64.b64encode(key) not in path.read_bytes()


@pytest.mark.parametrize("point", ["erased", "erased.done"])
def test_killed_while_erasing(desk: Any, point: str) -> None:
    recording = desk.capture()
    desk.run()
    order(desk, "erase", recording)
    assert desk.run_apart(f"{point}:kill") == SIGKILLED
    with pytest.raises(NotFoundError):  # the key went first
        Library(desk.settings).open("acme", recording)
    assert desk.run_apart() == 0
    assert_erased(desk, recording)
    assert kinds(desk, recording) == ["stored", "erased"]


def test_erasing_what_is_under_way(desk: Any) -> None:
    recording = desk.capture()
    assert desk.run("stored.done:fail=ENOSPC") == [recording]
    order(desk, "erase", recording)
    assert desk.run() == []
    assert_erased(desk, recording)
    assert kinds(desk, recording) == ["erased"]
    assert f"{recording}.failed" not in desk.reports()


def test_erasing_a_capture_that_nobody_has_touched(desk: Any) -> None:
    recording = desk.capture()
    order(desk, "erase", recording)
    assert desk.run() == []
    assert_erased(desk, recording)
    assert kinds(desk, recording) == ["erased"]


def test_an_order_about_what_is_still_captured_waits(desk: Any) -> None:
    recording = desk.new_id()
    header = CaptureHeader.now(recording, "acme", "node-1", {"tenant": "acme"})
    order(desk, "erase", recording)
    with CaptureWriter(desk.layout.capture(recording), header) as writer:
        assert desk.run() == []
        assert desk.reports() == {}
        assert desk.layout.capture(recording).exists()
        writer.end(header.monotonic_ns + 1, "hangup")
    assert desk.run() == []
    assert_erased(desk, recording)


def test_erasing_waits_for_a_store_that_is_away_but_the_key_does_not(desk: Any) -> None:
    share = desk.folder / "share"
    share.mkdir()
    desk.with_store("share", StoreSettings(share.as_uri()))
    recording = desk.capture("sealed")
    desk.run()
    share.rename(desk.folder / "unmounted")
    order(desk, "erase", recording, "sealed")
    recorder = desk.recorder()
    recorder.run_once()
    assert recorder.counts()["pending"] == 1
    assert desk.recorder().tools.records.get("sealed", recording) is None
    assert kinds(desk, recording) == ["stored"]
    order(desk, "erase", recording, "sealed")  # somebody is impatient
    desk.run()
    assert f"{recording}.failed" not in desk.reports()
    (desk.folder / "unmounted").rename(share)
    assert desk.run() == []
    assert desk.names(share) == []
    assert_erased(desk, recording, "sealed")


def test_nobody_orders_about_another_tenant_s(desk: Any) -> None:
    recording = desk.capture()
    assert desk.run("sealed:fail=ENOSPC") == [recording]
    for kind in ("erase", "hold"):
        order(desk, kind, recording, "sealed")
    desk.run()
    desk.assert_stored_once(recording)
    assert desk.reports()[f"{recording}.refused"]["why"] == "unknown"
    order(desk, "erase", recording, "sealed")
    desk.run()
    assert desk.audio(recording)


def test_a_hold_wins_until_it_is_released(desk: Any) -> None:
    recording = desk.capture()
    desk.run()
    order(desk, "hold", recording)
    desk.run()
    assert desk.reports()[f"{recording}.held"]["by"] == "ayse"
    assert desk.findings() == []
    order(desk, "erase", recording)
    desk.run()
    assert desk.reports()[f"{recording}.refused"]["why"] == "held"
    assert desk.audio(recording)[:4] == b"RIFF"
    order(desk, "release", recording)
    desk.run()
    assert f"{recording}.held" not in desk.reports()
    assert f"{recording}.released" in desk.reports()
    assert desk.findings() == []
    order(desk, "erase", recording)
    desk.run()
    assert kinds(desk, recording) == ["stored", "hold", "released", "erased"]
    assert_erased(desk, recording)


def again(desk: Any, kind: str, recording: str, at: int) -> None:
    said = {"tenant": "acme", "by": "ayse", "reason": "asked to", "at": at, "again": True}
    desk.recorder().orders.take(kind, recording, said)


def test_an_order_that_is_given_again_is_carried_out_once_and_answered_again(desk: Any) -> None:
    recording = desk.capture()
    desk.run()
    for kind, report in (("hold", "held"), ("release", "released")):
        for _ in range(2):
            again(desk, kind, recording, 5 if kind == "hold" else 6)
            desk.run()
            assert desk.reports()[f"{recording}.{report}"]["by"] == "ayse"
        if kind == "hold":
            again(desk, "hold", recording, 7)  # another one
            desk.run()
    assert kinds(desk, recording) == ["stored", "hold", "hold", "released"]
    for _ in range(2):
        again(desk, "erase", recording, 8)
        desk.run()
    assert kinds(desk, recording)[-1] == "erased"
    assert desk.reports()[f"{recording}.refused"]["why"] == "unknown"
    assert desk.findings() == []


@pytest.mark.parametrize("point", ["erased.done"])
def test_killed_between_a_hold_and_its_report(desk: Any, point: str) -> None:
    recording = desk.capture()
    desk.run()
    again(desk, "hold", recording, 5)
    assert desk.run_apart(f"{point}:kill") == SIGKILLED
    again(desk, "hold", recording, 5)
    desk.run()
    assert kinds(desk, recording) == ["stored", "hold"]
    assert f"{recording}.held" in desk.reports()


def test_a_hold_that_comes_with_an_order_to_erase_wins(desk: Any) -> None:
    recording = desk.capture()
    desk.run()
    order(desk, "erase", recording)
    order(desk, "hold", recording)
    desk.run()
    assert desk.audio(recording)
    assert kinds(desk, recording) == ["stored", "hold"]


def test_a_hold_comes_too_late_when_the_key_is_destroyed(desk: Any) -> None:
    """Erasing had begun and was cut off: it is finished, and the hold is refused."""
    recording = desk.capture("sealed")
    assert desk.run_apart("stored.done:kill") == SIGKILLED
    order(desk, "erase", recording, "sealed")
    assert desk.run_apart("erased:kill") == SIGKILLED
    order(desk, "hold", recording, "sealed")
    desk.run()
    desk.run()
    assert_erased(desk, recording, "sealed")
    assert kinds(desk, recording) == ["erased"]
    assert desk.reports()[f"{recording}.refused"]["why"] == "unknown"


def test_a_hold_on_what_is_not_stored_yet(desk: Any) -> None:
    recording = desk.capture()
    assert desk.run("encoded:fail=ENOSPC") == [recording]
    order(desk, "hold", recording)
    order(desk, "erase", recording)
    desk.run()
    assert desk.reports()[f"{recording}.refused"]["why"] == "held"
    assert desk.recorder().tools.records.get("acme", recording).hold["reason"] == "asked to"
    assert desk.findings() == []


def test_a_hold_outlives_a_step_that_is_done_again(desk: Any) -> None:
    """The process died when the record was there, and the job did not know."""
    recording = desk.capture()
    assert desk.run_apart("entered.done:kill") == SIGKILLED
    order(desk, "hold", recording)
    assert desk.run() == []
    assert desk.recorder().tools.records.get("acme", recording).hold["by"] == "ayse"
    order(desk, "erase", recording)
    desk.run()
    assert desk.audio(recording)
    desk.assert_stored_once(recording)


@pytest.mark.parametrize("kind", ["erase", "hold", "release"])
def test_an_order_about_nothing(desk: Any, kind: str) -> None:
    recording = desk.new_id()
    order(desk, kind, recording)
    desk.run()
    report = desk.reports()[f"{recording}.refused"]
    assert (report["order"], report["why"]) == (kind, "unknown")
    assert desk.names(desk.layout.orders) == []
    assert desk.names(desk.layout.jobs) == []


@pytest.mark.parametrize("wrong", ["../../etc/passwd", "", "x" * 36, "0192f3c0-0000-4000-8000-000000000000"])
def test_what_is_no_id_becomes_no_path(desk: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match="not the id"):
        order(desk, "erase", wrong)


def test_retention_erases_what_is_older_and_not_held(desk: Any) -> None:
    old, held, young = desk.capture(made_days_ago=40), desk.capture(made_days_ago=40), desk.capture(made_days_ago=2)
    other = desk.capture("sealed", made_days_ago=40)
    desk.run()
    order(desk, "hold", held)
    desk.run()
    desk.settings = replace(desk.settings, tenants={**desk.settings.tenants, "acme": TenantSettings(retention_days=30)})
    desk.run()
    assert kinds(desk, old) == ["stored", "erased"]
    assert desk.reports()[f"{old}.erased"]["by"] == "retention"
    for recording, tenant in ((held, "acme"), (young, "acme"), (other, "sealed")):
        assert desk.audio(recording, tenant)
    assert desk.findings() == []
    recorder = desk.recorder()
    assert order_expired(recorder.tools, recorder.orders, 0.0) == 0


def rotated(desk: Any, *keys: str) -> None:
    sealed = replace(desk.settings.tenants["sealed"], keys=keys)
    desk.settings = replace(desk.settings, tenants={**desk.settings.tenants, "sealed": sealed})


def test_another_wrapping_key_without_rewriting_audio(desk: Any) -> None:
    (old,) = desk.settings.tenants["sealed"].keys
    recordings = [desk.capture("sealed") for _ in range(3)]
    desk.run()
    before = {path: path.read_bytes() for path in desk.kept.rglob("*") if path.is_file()}
    sound = desk.audio(recordings[0], "sealed")
    rotated(desk, "44" * 32, old)
    recorder = desk.recorder()
    rewrap(recorder.tools, "sealed")
    rewrap(recorder.tools, "sealed")
    report = desk.reports()["tenant-sealed.rewrapped"]
    assert (report["count"], report["failed"]) == (0, 0)
    assert [entry.facts["count"] for entry in recorder.tools.ledger.entries() if entry.kind == "rewrapped"] == [3, 0]
    rotated(desk, "44" * 32)
    assert desk.audio(recordings[0], "sealed") == sound
    assert {path: path.read_bytes() for path in before} == before
    assert desk.findings() == []
    rotated(desk, old)
    with pytest.raises(KeysError):
        desk.audio(recordings[0], "sealed")


def test_a_capture_of_the_old_key_is_stored_under_the_new_one(desk: Any) -> None:
    (old,) = desk.settings.tenants["sealed"].keys
    recording = desk.capture("sealed")
    rotated(desk, "44" * 32, old)
    desk.run()
    rotated(desk, "44" * 32)
    assert desk.audio(recording, "sealed")[:4] == b"RIFF"


def test_another_wrapping_key_between_two_tries_of_a_step(desk: Any) -> None:
    (old,) = desk.settings.tenants["sealed"].keys
    recording = desk.capture("sealed")
    assert desk.run_apart("entered.done:kill") == SIGKILLED
    rotated(desk, "44" * 32, old)
    rewrap(desk.recorder().tools, "sealed")
    rotated(desk, "44" * 32)
    desk.run()
    assert desk.audio(recording, "sealed")[:4] == b"RIFF"
    assert desk.findings() == []


def test_a_key_that_was_set_in_mid_call(desk: Any) -> None:
    """The capture is plain; what is made of it is not."""
    recording = desk.capture("acme")
    keys: Callable[[], str] = lambda: "55" * 32  # noqa: E731
    desk.settings = replace(desk.settings, tenants={**desk.settings.tenants, "acme": TenantSettings(keys=(keys(),))})
    desk.run()
    assert b"RIFF" not in b"".join(path.read_bytes() for path in desk.kept.rglob("*") if path.is_file())
    desk.assert_stored_once(recording)


def test_a_range_of_a_sealed_file_is_read_without_the_rest(desk: Any) -> None:
    recording = desk.capture("sealed")
    desk.run()
    whole = desk.audio(recording, "sealed")
    library = Library(desk.settings)
    with library.open("sealed", recording) as file:
        file.seek(1000)
        assert file.read(50) == whole[1000:1050]
        assert file.seek(0, 2) == len(whole)
    with pytest.raises(NotFoundError):
        library.open("sealed", recording, "picture")
