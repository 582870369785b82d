"""Where the state of queues lasts, and who may decide on it: the seam, and the store of one node."""

from santral.engine.acd.store.contract import FencedError, Kind, Lease, State, Store
from santral.engine.acd.store.local import LocalStore

__all__ = ["FencedError", "Kind", "Lease", "LocalStore", "State", "Store"]
