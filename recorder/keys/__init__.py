"""Keys of recordings: one data key each, wrapped by its tenant's key; and the sealed files they open."""

from santral.recorder.keys.keyring import (
    DataKey,
    Keyring,
    KeysError,
    UnknownKeyError,
    WrappingKey,
    WrongKeyError,
)
from santral.recorder.keys.sealed import DamagedError, SealedReader, SealedWriter

__all__ = [
    "DamagedError",
    "DataKey",
    "Keyring",
    "KeysError",
    "SealedReader",
    "SealedWriter",
    "UnknownKeyError",
    "WrappingKey",
    "WrongKeyError",
]
