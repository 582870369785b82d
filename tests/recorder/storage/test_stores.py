"""One contract for all stores, against real servers: what has its name is whole; errors have reasons."""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from santral.recorder.storage import StorageError, Store, StoreSettings, open_store
from santral.recorder.storage.folder import FolderStore
from santral.recorder.storage.remote import MIN_PART_BYTES, etag_of

NAME = "acme/2026/11/22/some recording.wav.sealed"


@pytest.fixture(params=["folder", "s3", "sftp"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        settings = StoreSettings((tmp_path / "kept").as_uri(), create=True)
    elif request.param == "s3":
        settings = request.getfixturevalue("s3").settings(part_bytes=MIN_PART_BYTES)
    else:
        settings = request.getfixturevalue("ssh").settings()
    store = open_store(request.param, settings)
    yield store
    store.close()


@pytest.fixture(params=[0, 1, 100_000, 2 * MIN_PART_BYTES + 12_345], ids=["empty", "byte", "small", "parts"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    return make(tmp_path, request.param)


def make(folder: Path, size: int) -> tuple[Path, str]:
    data = os.urandom(size)
    path = folder / "made"
    path.unlink(missing_ok=True)  # a folder may hold it by a link
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def nothing() -> None:
    pass


def test_a_file_is_stored_confirmed_read_by_ranges_and_deleted(store: Store, made: tuple[Path, str]) -> None:
    path, sha256 = made
    data = path.read_bytes()
    store.put(path, NAME, halfway=nothing)
    store.confirm(path, NAME, sha256)
    assert store.digest(NAME) == (len(data), sha256)
    with store.open(NAME) as file:
        assert file.seek(0, os.SEEK_END) == len(data)
        for start, length in ((len(data) // 2, 1000), (0, 10), (max(0, len(data) - 5), 50)):
            file.seek(start)
            assert file.read(length) == data[start : start + length]
    store.delete(NAME)
    store.delete(NAME)  # gone already
    with pytest.raises(StorageError) as gone:
        store.digest(NAME)
    assert gone.value.reason == "gone"


def test_storing_again_replaces(store: Store, tmp_path: Path) -> None:
    for size in (5000, 100):
        path, sha256 = make(tmp_path, size)
        store.put(path, NAME, halfway=nothing)
        store.confirm(path, NAME, sha256)
    store.put(path, NAME, halfway=nothing)  # the same file
    if isinstance(store, FolderStore):
        assert [each.name for each in store.folder.rglob("*") if each.is_file()] == [Path(NAME).name]


@pytest.mark.parametrize("size", [90, 100])
def test_another_content_is_not_confirmed(store: Store, tmp_path: Path, size: int) -> None:
    path, _ = make(tmp_path, 100)
    store.put(path, NAME, halfway=nothing)
    path, sha256 = make(tmp_path, size)
    with pytest.raises(StorageError) as refused:
        store.confirm(path, NAME, sha256)
    assert refused.value.reason == "mismatch"


def test_half_an_upload_is_never_seen(store: Store, tmp_path: Path) -> None:
    path, sha256 = make(tmp_path, 2 * MIN_PART_BYTES + 12_345)
    torn: list[bool] = []

    def tear() -> None:
        if not torn:
            torn.append(True)
            raise OSError(32, "Broken pipe")

    with pytest.raises(StorageError):
        store.put(path, NAME, halfway=tear)
    assert torn
    with pytest.raises(StorageError) as gone:
        store.digest(NAME)
    assert gone.value.reason == "gone"
    store.put(path, NAME, halfway=nothing)
    store.confirm(path, NAME, sha256)
    store.delete(NAME)


def reason_of(settings: StoreSettings, tmp_path: Path, act: Callable[[Store, Path], Any] | None = None) -> str:
    store = open_store("it", settings)
    path, _ = make(tmp_path, 100)
    with pytest.raises(StorageError) as refused:
        (act or (lambda store, path: store.put(path, NAME, halfway=nothing)))(store, path)
    assert str(tmp_path) not in str(refused.value)
    return refused.value.reason


def test_a_share_that_is_not_mounted_is_gone_and_not_made(tmp_path: Path) -> None:
    settings = StoreSettings((tmp_path / "mnt").as_uri())
    assert reason_of(settings, tmp_path) == "gone"
    assert reason_of(settings, tmp_path, lambda store, _: store.delete(NAME)) == "gone"
    assert not (tmp_path / "mnt").exists()


def test_a_name_cannot_lead_out_of_a_folder(tmp_path: Path) -> None:
    store = open_store("it", StoreSettings((tmp_path / "kept").as_uri(), create=True))
    path, _ = make(tmp_path, 1)
    for name in ("../made2", "/etc/made2", "a/../../made2"):
        with pytest.raises(StorageError):
            store.put(path, name, halfway=nothing)


def test_a_file_is_copied_where_it_cannot_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    store = open_store("it", StoreSettings((tmp_path / "kept").as_uri(), create=True))
    path, sha256 = make(tmp_path, 3_000_000)
    seen: list[int] = []
    parts = (tmp_path / "kept").rglob("*.part")
    store.put(path, NAME, halfway=lambda: seen.extend(each.stat().st_size for each in parts))
    store.confirm(path, NAME, sha256)
    assert len(seen) == 1
    assert 0 < seen[0] < 3_000_000


def test_s3_says_why(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = s3.settings()
    other = StoreSettings("s3://nobody-s-bucket", settings.options, timeout_s=5)
    assert reason_of(other, tmp_path) == "gone"
    client = {**settings.options["client_kwargs"], "endpoint_url": "http://127.0.0.1:9"}
    away = StoreSettings(settings.url, {**settings.options, "client_kwargs": client}, timeout_s=1)
    assert reason_of(away, tmp_path) == "unreachable"


def test_s3_gives_up_the_halves_of_earlier_uploads_of_the_same_file_only(s3: Any, tmp_path: Path) -> None:
    store = open_store("it", s3.settings())
    path, _ = make(tmp_path, 100)
    store.put(path, "other", halfway=nothing)
    system = store._system  # type: ignore[attr-defined]
    for key in (f"kept/{NAME}", "kept/other"):
        system.call_s3("create_multipart_upload", Bucket=s3.bucket, Key=key)
    store.put(path, NAME, halfway=nothing)
    left = system.call_s3("list_multipart_uploads", Bucket=s3.bucket)["Uploads"]
    assert [upload["Key"] for upload in left] == ["kept/other"]
    system.call_s3("abort_multipart_upload", Bucket=s3.bucket, Key="kept/other", UploadId=left[0]["UploadId"])


def test_an_etag_is_that_of_amazon(tmp_path: Path) -> None:
    path = tmp_path / "made"
    path.write_bytes(b"a" * 10)
    assert etag_of(path, 8) == hashlib.md5(b"a" * 10).hexdigest()
    sums = hashlib.md5(b"a" * 4).digest() * 2 + hashlib.md5(b"a" * 2).digest()
    assert etag_of(path, 4) == hashlib.md5(sums).hexdigest() + "-3"


def test_sftp_says_why(ssh: Any, tmp_path: Path) -> None:
    stranger = ssh.settings(client_keys=[str(ssh.folder / "stranger")], agent_path=None)
    assert reason_of(stranger, tmp_path) == "denied"
    unknown = tmp_path / "known"
    host = (ssh.folder / "stranger.pub").read_text().split()
    unknown.write_text(f"[127.0.0.1]:{ssh.port} {host[0]} {host[1]}\n")
    assert reason_of(ssh.settings(known_hosts=str(unknown)), tmp_path) == "denied"
    settings = ssh.settings()
    away = StoreSettings(settings.url.replace(str(ssh.port), "9"), settings.options, timeout_s=2)
    assert reason_of(away, tmp_path) == "unreachable"


def test_sftp_gives_up_a_server_that_does_not_answer(ssh: Any, tmp_path: Path) -> None:
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = ssh.settings()
        url = settings.url.replace(f":{ssh.port}", f":{silent.getsockname()[1]}")
        assert reason_of(StoreSettings(url, settings.options, timeout_s=0.5), tmp_path) == "slow"


def test_sftp_comes_back_after_the_connection_broke(ssh: Any, tmp_path: Path) -> None:
    store = open_store("it", ssh.settings())
    path, sha256 = make(tmp_path, 1000)
    store.put(path, NAME, halfway=nothing)
    store._system.client.abort()  # type: ignore[attr-defined]
    with pytest.raises(StorageError) as broken:
        store.digest(NAME)
    assert broken.value.reason in {"unreachable", "broken"}
    store.confirm(path, NAME, sha256)


@pytest.mark.parametrize("url", ["s3://bucket", "sftp://host/"])
def test_without_the_extra_it_says_what_to_install(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "santral.recorder.storage.remote", raising=False)
    monkeypatch.setitem(sys.modules, "fsspec.asyn", None)
    with pytest.raises(StorageError, match=r"pip install santral\[storage\]"):
        open_store("it", StoreSettings(url))
    assert open_store("it", StoreSettings(tmp_path.as_uri()))


def test_another_kind_of_url_is_refused() -> None:
    with pytest.raises(ValueError, match="no such kind"):
        open_store("it", StoreSettings("ftp://host/"))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk")
def test_a_full_and_a_read_only_disk_say_so(tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415

    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False).returncode:
        pytest.skip("no mounts here")
    try:
        settings = StoreSettings(disk.as_uri())
        path, _ = make(tmp_path, 200_000)
        with pytest.raises(StorageError) as full:
            open_store("it", settings).put(path, NAME, halfway=nothing)
        assert full.value.reason == "full"
        assert [each for each in disk.rglob("*") if each.is_file()] == []
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert reason_of(settings, tmp_path) == "read_only"
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        shutil.rmtree(disk)
