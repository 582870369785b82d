"""What must hold for recordings: the announcement is there, and nobody overhears how they are fetched."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from santral.engine.config.draft import Draft
from santral.engine.config.problems import KeyPath
from santral.engine.config.sounds import SoundError, find_speech
from santral.engine.config.tables.recording import RecordingTable
from santral.recorder.keys import KeysError, WrappingKey

LOCAL: Final = "local"
MIN_SECRET: Final = 16  # characters
FOREIGN: Final = {  # keys that mean nothing to a kind of store
    "s3": ("private_key", "known_hosts"),
    "sftp": ("key", "endpoint", "region"),
    "file": ("key", "secret", "endpoint", "region", "private_key", "known_hosts"),
}
SHORTEST_BEEP_S: Final = 1.0


def check_recording(draft: Draft) -> None:
    table = draft.recording
    if table is None:
        return
    check_stores(draft, table)
    check_keys(draft, ("recording", "key"), table.key)
    for one in draft.tenants:
        check_keys(draft, (*one.path, "recording_key"), one.table.recording_key)
    if table.anchor_secret is not None and table.anchor_url is None:
        draft.blame(("recording", "anchor_secret"), "goes with anchor_url")
    if table.announcement is not None:
        check_announcement(draft, table.announcement)
    if 0 < table.beep < SHORTEST_BEEP_S:
        draft.blame(("recording", "beep"), f"must be 0 or at least {SHORTEST_BEEP_S:g}")
    if table.listen is not None and not table.listen.is_loopback:
        draft.blame(
            ("recording", "listen"), "must be a loopback address: outside, put a proxy with TLS before it and set url"
        )
    if table.url is not None:
        parts = urlsplit(table.url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            draft.blame(("recording", "url"), "must be an http or https URL without a query")
        elif table.listen is None:
            draft.blame(("recording", "url"), "goes with listen")
    if table.url_secret is not None and len(table.url_secret.get_secret_value()) < MIN_SECRET:
        draft.blame(("recording", "url_secret"), f"must have at least {MIN_SECRET} characters")


def check_stores(draft: Draft, table: RecordingTable) -> None:
    """Each has a name of its own and what its kind of place needs; those named are there."""
    known = {LOCAL}
    for place, store in enumerate(table.stores):
        path: KeyPath = ("recording", "stores", place)
        if store.name in known:
            draft.blame((*path, "name"), f"there is another store {store.name}")
        known.add(store.name)
        scheme = urlsplit(store.url).scheme
        for key in FOREIGN[scheme]:
            if getattr(store, key) is not None:
                draft.blame((*path, key), f"does not go with {scheme}")
    if table.store not in known:
        draft.blame(("recording", "store"), f"there is no store {table.store}")
    for one in draft.tenants:
        if one.table.recording_store not in (None, *known):
            draft.blame((*one.path, "recording_store"), f"there is no store {one.table.recording_store}")


def check_keys(draft: Draft, path: KeyPath, keys: SecretStr | None) -> None:
    for text in keys.get_secret_value().split() if keys is not None else ():
        try:
            WrappingKey.parse(text)
        except KeysError:
            draft.blame(path, "must be keys of 32 octets, as base64 or hexadecimal")


def check_announcement(draft: Draft, sound: str) -> None:
    """Every tenant has it, or it is one of ours."""
    for one in draft.tenants:
        try:
            find_speech(sound, one.table.sounds, one.table.language)
        except SoundError as problem:
            draft.blame(("recording", "announcement"), f"for tenant {one.table.name}: {problem}")
