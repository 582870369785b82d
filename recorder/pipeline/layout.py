"""Which file lies where, under `data_dir` and in stores. Ids and tenants become paths here only: none leads astray."""

import re
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")  # UUIDv7 (RFC 9562)
CAPTURE: Final = ".capture"
SEALED: Final = ".sealed"


class Layout:
    """The folders of one engine's data."""

    def __init__(self, data_dir: Path) -> None:
        self.captures = data_dir / "captures"  # the engine writes here
        self.jobs = data_dir / "jobs"  # what is under way, a folder each
        self.orders = data_dir / "orders"  # to erase, hold, release; not carried out yet
        self.outbox = data_dir / "outbox"  # reports that the engine has not noted
        self.records = data_dir / "records"  # one file per stored recording
        self.ledger = data_dir / "ledger"

    def all(self) -> tuple[Path, ...]:
        return (self.captures, self.jobs, self.orders, self.outbox, self.records, self.ledger)

    def capture(self, recording: str) -> Path:
        return self.captures / f"{checked(recording)}{CAPTURE}"

    def job(self, recording: str) -> Path:
        return self.jobs / checked(recording)

    def record(self, tenant: str, recording: str) -> Path:
        return self.records / f"{stem(tenant, recording)}.json"


def checked(recording: str) -> str:
    """Raises ValueError for what is no id of a recording, before it meets a path."""
    if not ID.fullmatch(recording):
        raise ValueError(f"not the id of a recording: {recording[:60]!r}")
    return recording


def is_id(text: str) -> bool:
    return ID.fullmatch(text) is not None


def stem(tenant: str, recording: str) -> str:
    """The name of a recording's files without their ending: `<tenant>/<yyyy>/<mm>/<dd>/<id>`, by the id's own day."""
    return f"{folder_of(tenant)}/{day_of(recording)}/{recording}"


def folder_of(tenant: str) -> str:
    """A tenant's name as one path component."""
    name = quote(tenant, safe=" @+,=")
    return name.replace(".", "%2E") if name.strip(".") == "" and name else name or "_"


def day_of(recording: str) -> str:
    milliseconds = int(checked(recording).replace("-", "")[:12], 16)  # RFC 9562 section 5.7
    return time.strftime("%Y/%m/%d", time.gmtime(milliseconds / 1000))
