"""What a test may lack: a program or a resource. It skips then, or fails if CI_STRICT=1, so that CI runs everything.

Files of tests run beside each other, in workers; where the machine lets us, each worker has a network of its own.
"""

import ctypes
import datetime
import fcntl
import gc
import logging
import os
import shutil
import socket
import struct
import sysconfig
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"sipp": "sip-tester", "baresip": "baresip-core", "linphonec": "linphone-cli", "sshd": "openssh-server"}


settings.register_profile("repeatable", derandomize=True)  # the same examples every time; fuzzing looks for others
settings.load_profile("repeatable")

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def pytest_configure(config: pytest.Config) -> None:
    """Workers' peers, engines and fixed ports must not meet: a private loopback each. Only root may make one."""
    if not hasattr(config, "workerinput") or ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def pytest_sessionstart() -> None:
    """Python prefers a compiled module to the source beside it: an edit that was not built would go untested."""
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    for built in (found for room in ("engine", "routing", "sip") for found in (ROOT / room).rglob("*" + suffix)):
        source = built.with_name(built.name.removesuffix(suffix) + ".py")
        if source.is_file() and source.stat().st_mtime > built.stat().st_mtime:
            pytest.exit(f"{source.relative_to(ROOT)} is newer than its compiled module: run `make build`", 3)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A test that runs a command of ours sets logging up, to a stream that is closed behind it."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture(autouse=True, scope="module")
def nothing_left_open() -> Iterator[None]:
    """What a file of tests forgot to close is found in that file, not in whichever one the collector runs."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def lacking() -> Callable[[str], NoReturn]:
    """Give a test up for something that is not here: `lacking("no descriptors")`."""

    def give_up(reason: str) -> NoReturn:
        if os.environ.get("CI_STRICT") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return give_up


@pytest.fixture(scope="session")
def need(lacking: Callable[[str], NoReturn]) -> Callable[[str], None]:
    """Ask for a program: `need("sipp")`."""

    def ask(program: str) -> None:
        if not shutil.which(program):
            lacking(f"{program} is not installed (apt install {PACKAGES.get(program, program)})")

    return ask


class Authority:
    """Issues certificates into a folder: `issue("gw.example")` gives the files of chain and key."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        self._serial = 0
        own = self._certificate(self._name, self._key.public_key())
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )

    def issue(self, *names: str, into: str = "") -> tuple[Path, Path]:
        """A certificate for these DNS names, addresses or `sip:` URIs; `into` overwrites files issued before."""
        self._serial += 1
        stem = into or f"{self.file.stem}-{self._serial}"
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody reads this")])
        made = self._certificate(subject, key.public_key())
        if names:
            made = made.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        chain, private = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        chain.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return chain, private


def _general_name(name: str) -> x509.GeneralName:
    if name.startswith("sip:"):
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@pytest.fixture(scope="session")
def make_authority() -> type[Authority]:
    """Make one in a folder, for fixtures that live longer than a test."""
    return Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority of this test alone."""
    return Authority(tmp_path)


@pytest.fixture
def stranger_authority(tmp_path: Path) -> Authority:
    """Another one, whom nobody trusts."""
    return Authority(tmp_path, "stranger")
