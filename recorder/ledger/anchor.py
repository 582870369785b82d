"""The ledger's head told to somebody outside, by a signed POST: a ledger signed on this machine can be rewritten on it.

Body: JSON `{node, entry, hash, at, public_key, signature}`; the signature is the ledger's (Ed25519, base64) over
`santral anchor 1`, NUL and `<node> <entry> <hash> <at>`. With a secret, the header `X-Santral-Signature` is `sha256=`
and the HMAC-SHA256 of the body. What was told is remembered in `anchors.jsonl`; `verify` holds the ledger against it.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from santral.recorder.ledger.ledger import Ledger
from santral.recorder.storage.disk import sync_folder

ANCHORS: Final = "anchors.jsonl"
CONTEXT: Final = b"santral anchor 1\0"
TIMEOUT_S: Final = 20.0
MAX_ANSWER_BYTES: Final = 64 * 1024


class AnchorError(Exception):
    """Nobody outside has taken the head; it will be tried again."""


@dataclass(frozen=True, slots=True)
class AnchorSettings:
    """Whom to tell; nobody without a URL."""

    url: str = ""
    secret: str = field(default="", repr=False)
    every_s: int = 86_400


def last_anchor(folder: Path) -> dict[str, Any] | None:
    """The newest line of `anchors.jsonl` that can be read."""
    found = anchors(folder)
    return found[-1] if found else None


def anchors(folder: Path) -> list[dict[str, Any]]:
    try:
        lines = (folder / ANCHORS).read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for each in lines:
        try:
            said = json.loads(each)
            found.append({**said, "entry": int(said["entry"]), "hash": str(said["hash"]), "at": int(said["at"])})
        except (ValueError, TypeError, KeyError):
            continue  # cut by a crash while it was written
    return found


def is_due(folder: Path, settings: AnchorSettings, now_ms: int) -> bool:
    """Whether the head should be told again. (An unchanged head is told too: it says that nothing was added.)"""
    if not settings.url:
        return False
    last = last_anchor(folder)
    return last is None or now_ms - last["at"] >= settings.every_s * 1000


def anchor(ledger: Ledger, folder: Path, settings: AnchorSettings, node: str) -> dict[str, Any] | None:
    """Tell the head and remember it; None of an empty ledger. Blocks. Raises `AnchorError`."""
    number, digest = ledger.head()
    if not number:
        return None
    at_ms = time.time_ns() // 1_000_000
    signature = ledger.sign(CONTEXT + f"{node} {number} {digest} {at_ms}".encode())
    said = {
        "node": node,
        "entry": number,
        "hash": digest,
        "at": at_ms,
        "public_key": ledger.public_pem(),
        "signature": base64.b64encode(signature).decode(),
    }
    answer = post(settings, json.dumps(said).encode())
    remembered = {"entry": number, "hash": digest, "at": at_ms, "answer": hashlib.sha256(answer).hexdigest()}
    with (folder / ANCHORS).open("ab") as file:
        file.write(json.dumps(remembered).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
    return remembered


def post(settings: AnchorSettings, body: bytes) -> bytes:
    """Raises `AnchorError` unless the answer is 2xx; redirects are not followed."""
    headers = {"Content-Type": "application/json"}
    if settings.secret:
        proof = hmac.new(settings.secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Santral-Signature"] = f"sha256={proof}"
    if not settings.url.startswith(("https://", "http://")):
        raise AnchorError("the URL is neither https: nor http:")
    request = urllib.request.Request(settings.url, body, headers, method="POST")  # noqa: S310 - checked above
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            taken: bytes = answer.read(MAX_ANSWER_BYTES)
            return taken
    except urllib.error.HTTPError as refusal:
        with refusal:
            raise AnchorError(f"the anchor was answered {refusal.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise AnchorError(f"the anchor was not taken ({type(problem).__name__})") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None
