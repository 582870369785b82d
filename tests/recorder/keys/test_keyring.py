"""Wrapping: what opens a data key, and what does not; rotation."""

import base64

import pytest

from santral.recorder.keys import Keyring, KeysError, UnknownKeyError, WrappingKey, WrongKeyError

OLD, NEW, OTHER = (WrappingKey.parse(bytes([n] * 32).hex()) for n in (1, 2, 3))


def test_a_data_key_comes_back_for_its_tenant_and_recording_only() -> None:
    ring = Keyring({"acme": [NEW], "bravo": [NEW]})
    key, wrapped = ring.new("acme", "r1")
    assert ring.unwrap("acme", "r1", wrapped) == key
    assert key.secret not in wrapped
    for tenant, recording in (("acme", "r2"), ("bravo", "r1")):
        with pytest.raises(WrongKeyError):
            ring.unwrap(tenant, recording, wrapped)


@pytest.mark.parametrize("at", [0, 1, 9, 21, 60])
def test_a_changed_wrapped_key_is_refused(at: int) -> None:
    ring = Keyring({"acme": [NEW]})
    wrapped = bytearray(ring.new("acme", "r1")[1])
    wrapped[at] ^= 1
    with pytest.raises(KeysError):
        ring.unwrap("acme", "r1", bytes(wrapped))
    with pytest.raises(WrongKeyError):
        ring.unwrap("acme", "r1", bytes(wrapped[:-1]))


def test_rotation_opens_what_the_old_key_wrapped_and_wraps_by_the_new_one() -> None:
    key, wrapped = Keyring({"acme": [OLD]}).new("acme", "r1")
    ring = Keyring({"acme": [NEW, OLD]})
    assert not ring.is_current("acme", wrapped)
    again = ring.wrap("acme", "r1", ring.unwrap("acme", "r1", wrapped))
    assert ring.is_current("acme", again)
    assert Keyring({"acme": [NEW]}).unwrap("acme", "r1", again) == key
    with pytest.raises(UnknownKeyError):
        Keyring({"acme": [NEW]}).unwrap("acme", "r1", wrapped)


def test_a_tenant_without_keys_is_not_encrypted() -> None:
    ring = Keyring({"acme": [NEW], "bravo": []})
    assert ring.encrypts("acme")
    assert not ring.encrypts("bravo")
    with pytest.raises(UnknownKeyError):
        ring.new("bravo", "r1")


def test_each_purpose_has_its_own_key() -> None:
    key, _ = Keyring({"acme": [NEW]}).new("acme", "r1")
    assert len({key.secret, key.capture(), key.file(b"1" * 16), key.file(b"2" * 16)}) == 4


def test_keys_are_read_in_both_spellings_and_never_shown() -> None:
    secret = bytes(range(32))
    key = WrappingKey.parse(base64.b64encode(secret).decode())
    assert key == WrappingKey.parse(secret.hex() + "\n")
    assert secret.hex() not in repr(key)
    assert key.id != OTHER.id
    for wrong in ("", "aaaa", "z" * 64, "00" * 31):
        with pytest.raises(KeysError):
            WrappingKey.parse(wrong)
