"""What the recorder works by: values that the engine makes from its configuration, and sends."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from santral.recorder.keys import Keyring, WrappingKey
from santral.recorder.ledger.anchor import AnchorSettings
from santral.recorder.storage import StoreSettings

LOCAL: Final = "local"  # the store that is always there, and takes what others do not


class SettingsError(ValueError):
    """Settings that cannot be worked by."""


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What one tenant wants. `keys`: the first wraps, the others open what they wrapped before; none: not encrypted."""

    store: str = LOCAL
    retention_days: int = 0  # 0: for ever
    keys: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How often a store is asked before the next one, and how long to wait between tries: doubling, with jitter."""

    attempts: int = 3
    first_s: float = 1.0
    most_s: float = 600.0


@dataclass(frozen=True)
class Settings:
    """Everything. Tenants that are not named get those of `""`."""

    data_dir: Path
    stores: Mapping[str, StoreSettings]
    node: str = ""
    workers: int = 2  # mixing and encoding at once; sending has threads of its own
    tenants: Mapping[str, TenantSettings] = field(default_factory=dict)
    anchor: AnchorSettings = field(default_factory=AnchorSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    faults: str = ""  # for tests, see `faults.py`

    def tenant(self, name: str) -> TenantSettings:
        return self.tenants.get(name) or self.tenants.get("") or TenantSettings()

    @cached_property
    def keyring(self) -> Keyring:
        named = {name: [WrappingKey.parse(text) for text in one.keys] for name, one in self.tenants.items()}
        return Keyring(named)

    def unwrap(self, tenant: str, recording: str, wrapped: bytes) -> bytes:
        """The key of an encrypted capture, as its reader asks for it. Raises `KeysError`."""
        return self.keyring.unwrap(tenant, recording, wrapped).capture()

    def to_map(self) -> dict[str, Any]:
        """Maps, lists and text only; holds secrets."""
        return {
            "data_dir": str(self.data_dir),
            "node": self.node,
            "workers": self.workers,
            "faults": self.faults,
            "stores": {name: {**asdict(one), "options": dict(one.options)} for name, one in self.stores.items()},
            "tenants": {name: asdict(one) for name, one in self.tenants.items()},
            "anchor": asdict(self.anchor),
            "retry": asdict(self.retry),
        }

    @classmethod
    def from_map(cls, said: Mapping[str, Any]) -> Self:
        """Raises `SettingsError`; names that are not known are ignored, for an engine that is newer."""
        try:
            stores = {name: _made(StoreSettings, one) for name, one in said["stores"].items()}
            tenants = {
                name: _made(TenantSettings, {**one, "keys": tuple(one.get("keys", ()))})
                for name, one in said.get("tenants", {}).items()
            }
            made = cls(
                data_dir=Path(said["data_dir"]),
                node=str(said.get("node", "")),
                workers=max(1, int(said.get("workers", 2))),
                faults=str(said.get("faults", "")),
                stores=stores,
                tenants=tenants,
                anchor=_made(AnchorSettings, said.get("anchor", {})),
                retry=_made(RetrySettings, said.get("retry", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise SettingsError(f"not settings of a recorder: {type(problem).__name__} {problem}") from None
        return made.checked()

    def checked(self) -> Self:
        """Raises `SettingsError` for a store that is not there, or `KeysError` for a key that is none."""
        if LOCAL not in self.stores:
            raise SettingsError(f"there is no store {LOCAL!r}")
        for name, one in self.tenants.items():
            if one.store not in self.stores:
                raise SettingsError(f"tenant {name!r} wants the store {one.store!r}, which is not there")
        _ = self.keyring
        return self


def _made(kind: Any, said: Mapping[str, Any]) -> Any:
    known = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in said.items() if name in known})
