"""Envelope encryption: a data key per recording, wrapped by its tenant's key, so that rotation rewrites no audio.

A data key never encrypts anything itself: captures and stored files use keys derived from it (HKDF, RFC 5869), each for
one purpose, so that nonces of one can never meet those of another. Wrapping is AES-256-GCM, bound to tenant and
recording.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
ID_BYTES: Final = 8
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
WRAPPED_VERSION: Final = 1
WRAPPED_BYTES: Final = 1 + ID_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES  # version, key id, nonce, key, tag


class KeysError(Exception):
    """A key is missing or does not fit; the text names no secret."""


class UnknownKeyError(KeysError):
    """The tenant has no key with the id that a wrapped key names."""


class WrongKeyError(KeysError):
    """A wrapped key does not open: changed, or of another tenant or recording."""


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """A tenant's key. `id` is a fingerprint: it tells keys apart and nothing about them."""

    secret: bytes = field(repr=False)
    id: str

    @classmethod
    def parse(cls, text: str) -> "WrappingKey":
        """32 bytes as base64 (44 characters) or hexadecimal (64 digits). Raises `KeysError`."""
        text = text.strip()
        try:
            secret = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise KeysError("a key is neither base64 nor hexadecimal") from None
        if len(secret) != KEY_BYTES:
            raise KeysError(f"a key has {len(secret)} bytes, not {KEY_BYTES}")
        return cls(secret, hashlib.sha256(b"santral wrapping key\0" + secret).hexdigest()[: 2 * ID_BYTES])

    @classmethod
    def generate(cls) -> "WrappingKey":
        return cls.parse(os.urandom(KEY_BYTES).hex())


@dataclass(frozen=True, slots=True)
class DataKey:
    """The secret of one recording, from which the keys of its files come."""

    secret: bytes = field(repr=False)

    def capture(self) -> bytes:
        """The AES-256-GCM key of the capture file's chunks."""
        return self._derive(b"santral capture 1")

    def file(self, salt: bytes) -> bytes:
        """The AES-256-GCM key of one stored file; `salt` stands in its header."""
        return self._derive(b"santral file 1", salt)

    def _derive(self, purpose: bytes, salt: bytes | None = None) -> bytes:
        return HKDF(hashes.SHA256(), KEY_BYTES, salt, purpose).derive(self.secret)


class Keyring:
    """The wrapping keys of tenants: the first of each wraps, the others only open what they have wrapped before.

    The keys of `""` are those of tenants without any, and open what they wrapped for tenants that have some now.
    """

    def __init__(self, tenants: Mapping[str, Sequence[WrappingKey]]) -> None:
        self._tenants = {tenant: {key.id: key for key in keys} for tenant, keys in tenants.items() if keys}
        self._common = self._tenants.get("", {})

    def encrypts(self, tenant: str) -> bool:
        return tenant in self._tenants or bool(self._common)

    def new(self, tenant: str, recording: str) -> tuple[DataKey, bytes]:
        """Make a data key; the second is its wrapped form. Raises `UnknownKeyError` for a tenant without keys."""
        key = DataKey(os.urandom(KEY_BYTES))
        return key, self.wrap(tenant, recording, key)

    def wrap(self, tenant: str, recording: str, key: DataKey) -> bytes:
        """Wrap by the tenant's current key. Raises `UnknownKeyError`."""
        current = self._current(tenant)
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(current.secret).encrypt(nonce, key.secret, _bound_to(tenant, recording))
        return bytes([WRAPPED_VERSION]) + bytes.fromhex(current.id) + nonce + sealed

    def unwrap(self, tenant: str, recording: str, wrapped: bytes) -> DataKey:
        """Raises `UnknownKeyError` or `WrongKeyError`."""
        known = {**self._common, **self._tenants.get(tenant, {})}
        wrapping = known.get(key_id(wrapped))
        if wrapping is None:
            raise UnknownKeyError(f"tenant {tenant} has no key {key_id(wrapped)}")
        nonce, sealed = wrapped[1 + ID_BYTES :][:NONCE_BYTES], wrapped[1 + ID_BYTES + NONCE_BYTES :]
        try:
            return DataKey(AESGCM(wrapping.secret).decrypt(nonce, sealed, _bound_to(tenant, recording)))
        except InvalidTag:
            raise WrongKeyError(f"the data key of {recording} does not open: changed, or not its own") from None

    def is_current(self, tenant: str, wrapped: bytes) -> bool:
        """Whether it is wrapped by the key the tenant wraps with now."""
        return self.encrypts(tenant) and key_id(wrapped) == self._current(tenant).id

    def may_be_stale(self, tenant: str) -> bool:
        """Whether there is an older key, by which something may still be wrapped."""
        return self.encrypts(tenant) and len(self._common.keys() | self._tenants.get(tenant, {}).keys()) > 1

    def _current(self, tenant: str) -> WrappingKey:
        for key in self._tenants.get(tenant, self._common).values():
            return key
        raise UnknownKeyError(f"tenant {tenant} has no key")


def key_id(wrapped: bytes) -> str:
    """The id of the key it is wrapped by. Raises `WrongKeyError` for anything that is no wrapped key."""
    if len(wrapped) != WRAPPED_BYTES or wrapped[0] != WRAPPED_VERSION:
        raise WrongKeyError("not a wrapped key of a known version")
    return wrapped[1 : 1 + ID_BYTES].hex()


def _bound_to(tenant: str, recording: str) -> bytes:
    return b"santral data key 1\0" + tenant.encode() + b"\0" + recording.encode()
