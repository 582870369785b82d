"""From the configuration to what the recorder process works by."""

from typing import Any

from santral.engine.config import Config
from santral.engine.config.tables.recording import StoreTable
from santral.recorder.ledger.anchor import AnchorSettings
from santral.recorder.pipeline import LOCAL, Settings, TenantSettings
from santral.recorder.storage import StoreSettings


def recorder_settings(config: Config) -> Settings:
    """Holds secrets. Raises `SettingsError` or `KeysError` for what the checks of the configuration let pass."""
    recording = config.recording
    local = StoreSettings(recording.dir.absolute().as_uri(), create=True)
    common = _keys(recording.key)
    tenants = {
        tenant.name: TenantSettings(
            store=tenant.recording_store or recording.store,
            retention_days=_first(tenant.recording_retention_days, recording.retention_days),
            keys=_keys(tenant.recording_key),
        )
        for tenant in config.tenant
    }
    return Settings(
        data_dir=config.engine.data_dir.absolute(),
        node=config.engine.node,
        stores={LOCAL: local, **{store.name: _store(store) for store in recording.stores}},
        tenants={"": TenantSettings(recording.store, recording.retention_days, common), **tenants},
        anchor=AnchorSettings(recording.anchor_url or "", _secret(recording.anchor_secret)),
    ).checked()


def _store(table: StoreTable) -> StoreSettings:
    """The options are those of the libraries behind the URL."""
    options: dict[str, Any] = {}
    scheme = table.url.partition(":")[0]
    if scheme == "s3":
        options |= {"key": table.key, "secret": _secret(table.secret) or None}
        client = {"endpoint_url": table.endpoint, "region_name": table.region}
        options["client_kwargs"] = {name: value for name, value in client.items() if value}
    elif scheme == "sftp":
        options |= {"password": _secret(table.secret) or None}
        if table.private_key is not None:
            options["client_keys"] = [str(table.private_key)]
        if table.known_hosts is not None:
            options["known_hosts"] = str(table.known_hosts)
    kept = {name: value for name, value in options.items() if value}
    return StoreSettings(table.url, kept, timeout_s=table.timeout)


def _keys(secret: Any) -> tuple[str, ...]:
    return tuple(_secret(secret).split())


def _secret(secret: Any) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _first(own: int | None, common: int) -> int:
    return common if own is None else own
