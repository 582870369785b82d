"""Stores to test against: a folder, an S3 server (moto), an SFTP server (OpenSSH); each on free ports of loopback."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from santral.recorder.storage import StoreSettings

SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")


@dataclass
class S3Server:
    """moto's own server in a thread, with authentication; `settings` reach one bucket of it."""

    port: int
    bucket: str = "recordings"

    def settings(self, key: str = "right", **options: Any) -> StoreSettings:
        client = {"endpoint_url": f"http://127.0.0.1:{self.port}", "region_name": "eu-central-1"}
        return StoreSettings(
            f"s3://{self.bucket}/kept", {"key": key, "secret": "s", "client_kwargs": client, **options}, timeout_s=5
        )


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One for all; its content is `moto`'s, in this process."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "right")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        port = server.get_host_and_port()[1]
        yield S3Server(port)
        server.stop()


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[S3Server]:
    """The server with an empty bucket."""
    import boto3  # noqa: PLC0415

    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3_server.port}",
        region_name="eu-central-1",
        aws_access_key_id="right",
        aws_secret_access_key="s",
    )
    client.create_bucket(Bucket=s3_server.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield s3_server
    for each in client.list_objects_v2(Bucket=s3_server.bucket).get("Contents", ()):
        client.delete_object(Bucket=s3_server.bucket, Key=each["Key"])
    with contextlib.suppress(client.exceptions.NoSuchBucket):
        client.delete_bucket(Bucket=s3_server.bucket)
    client.close()


@dataclass
class SshServer:
    """OpenSSH's sshd as whoever runs the tests, with keys of its own."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def settings(self, **options: Any) -> StoreSettings:
        url = f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{self.files}"
        known = {"known_hosts": str(self.folder / "known_hosts"), "client_keys": [str(self.folder / "client")]}
        return StoreSettings(url, {**known, **options}, timeout_s=5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory, lacking: Callable[[str], None]) -> Iterator[SshServer]:
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    sftp = next(filter(os.path.exists, SFTP_SERVERS), None)
    if sshd is None or sftp is None:
        lacking("sshd is not installed (apt install openssh-server)")
    assert sshd is not None
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "client", "stranger"):
        make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make_key, check=True, stdin=subprocess.DEVNULL)
    shutil.copy(folder / "client.pub", folder / "authorized")
    (folder / "files").mkdir()
    port = free_port()
    host = (folder / "host.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host[0]} {host[1]}\n")
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/authorized\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"PermitRootLogin prohibit-password\nSubsystem sftp {sftp}\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it separates privileges
    log = (folder / "log").open("wb")
    process = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "config")], stderr=log, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            if probe.recv(4) == b"SSH-":
                break
        time.sleep(0.02)
    yield SshServer(folder, port, process)
    process.terminate()
    process.wait()
    log.close()


@pytest.fixture
def ssh(ssh_server: SshServer) -> Iterator[SshServer]:
    """The server with an empty folder."""
    yield ssh_server
    for each in ssh_server.files.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
