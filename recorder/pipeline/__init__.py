"""From a finished capture to a stored, sealed and proved recording: a process of its own (`santral recorder`)."""

from santral.recorder.pipeline.settings import LOCAL, RetrySettings, Settings, SettingsError, TenantSettings

__all__ = ["LOCAL", "RetrySettings", "Settings", "SettingsError", "TenantSettings"]
