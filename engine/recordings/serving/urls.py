"""Signed URLs: whoever has one may fetch that one file until it expires, and nothing else. No clock, no I/O."""

import base64
import hashlib
import hmac
import re
from typing import Final
from urllib.parse import quote

PATH: Final = "/recordings"
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class Signer:
    """HMAC-SHA-256 over recording, name of the file and the second in which it ends."""

    def __init__(self, secret: bytes, base: str, ttl_s: int) -> None:
        self._secret, self._base, self.ttl_s = secret, base.rstrip("/"), ttl_s

    def url(self, recording: str, name: str, now_s: int) -> str:
        until = now_s + self.ttl_s
        signature = self._sign(recording, name, str(until))
        return f"{self._base}{PATH}/{recording}/{quote(name)}?expires={until}&signature={signature}"

    def objection(self, recording: str, name: str, query: tuple[str, str], now_s: int) -> str | None:
        """Why this may not be fetched: "wrong" or "expired"; None when it may. `query`: expires and signature."""
        expires, signature = query
        if not (is_known_form(recording, name) and _SECONDS.fullmatch(expires)):
            return "wrong"
        if not hmac.compare_digest(self._sign(recording, name, expires).encode(), signature.encode()):
            return "wrong"
        return "expired" if int(expires) <= now_s else None

    def _sign(self, recording: str, name: str, expires: str) -> str:
        said = "\n".join(("santral recording", recording, name, expires)).encode()
        return base64.urlsafe_b64encode(hmac.digest(self._secret, said, hashlib.sha256)).rstrip(b"=").decode()


def is_known_form(recording: str, name: str) -> bool:
    """Whether these can be an id of ours and the name of a file; neither ever becomes a path."""
    return _ID.fullmatch(recording) is not None and _NAME.fullmatch(name) is not None
