"""The head told outside: what is sent, that it is proved, and that nothing is remembered unless it was taken."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from santral.recorder.ledger import Ledger, public_key
from santral.recorder.ledger.anchor import AnchorError, AnchorSettings, anchor, is_due, last_anchor


class Notary(HTTPServer):
    """Takes what is posted, or answers what it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Desk)
        self.status = 200
        self.taken: list[tuple[str, bytes]] = []


class _Desk(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Notary)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.taken.append((self.headers["X-Santral-Signature"], body))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"stamped")

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def notary() -> Iterator[Notary]:
    with Notary() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_head_is_told_signed_and_remembered(notary: Notary, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    settings = AnchorSettings(f"http://127.0.0.1:{notary.server_port}/", "s3cret", every_s=3600)
    assert anchor(ledger, tmp_path, settings, "node-1") is None  # nothing to tell
    entry = ledger.append("hold", {"recording": "r"})
    assert is_due(tmp_path, settings, entry.at_ms)
    told = anchor(ledger, tmp_path, settings, "node-1")
    assert told is not None
    ((proof, body),) = notary.taken
    assert proof == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    said = json.loads(body)
    assert (said["node"], said["entry"], said["hash"]) == ("node-1", 1, entry.hash)
    text = f"{said['node']} {said['entry']} {said['hash']} {said['at']}".encode()
    key = public_key(said["public_key"].encode())
    key.verify(base64.b64decode(said["signature"]), b"santral anchor 1\0" + text)
    kept = last_anchor(tmp_path)
    assert kept == told
    assert kept["answer"] == hashlib.sha256(b"stamped").hexdigest()
    assert not is_due(tmp_path, settings, kept["at"] + 3_599_000)
    assert is_due(tmp_path, settings, kept["at"] + 3_600_000)


@pytest.mark.parametrize("status", [302, 401, 503])
def test_what_was_not_taken_is_not_remembered(notary: Notary, tmp_path: Path, status: int) -> None:
    ledger = Ledger(tmp_path)
    ledger.append("hold", {"recording": "r"})
    notary.status = status
    with pytest.raises(AnchorError):
        anchor(ledger, tmp_path, AnchorSettings(f"http://127.0.0.1:{notary.server_port}/"), "n")
    assert last_anchor(tmp_path) is None


def test_nobody_there_and_no_url(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append("hold", {"recording": "r"})
    for url in ("http://127.0.0.1:9/", "file:///etc/passwd"):
        with pytest.raises(AnchorError):
            anchor(ledger, tmp_path, AnchorSettings(url), "n")
    assert not is_due(tmp_path, AnchorSettings(), 0)
