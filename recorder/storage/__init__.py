"""Where finished recordings are kept: folders, S3-compatible stores, SFTP."""

from santral.recorder.storage.errors import Reason, StorageError
from santral.recorder.storage.store import Store, StoreSettings, open_store

__all__ = ["Reason", "StorageError", "Store", "StoreSettings", "open_store"]
