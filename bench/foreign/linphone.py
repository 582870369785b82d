"""linphonec (Debian `linphone-cli`) as a registered phone: typed commands, and what it says read from its output.

Its ways: it wants its data folder to exist; `soundcard use files` takes WAV files in place of a sound card. Over TLS it
knows a server by a DNS name only, an address among the names of a certificate is nothing to it. It sends no audio
unless it is given a file, and its digits then come alone: what waits for more packets hears them late.
"""

import os
import subprocess
import time
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from santral.bench.peer import wav
from santral.bench.ports import HOST, free_block
from santral.bench.scene.stage import SceneError

PROGRAM: Final = "linphonec"
POLL_S: Final = 0.05
STOP_S: Final = 3.0

CONFIGURATION: Final = """\
[sip]
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
guess_hostname=0
contact=sip:{user}@{host}
use_ipv6=0
verify_server_certs=1
root_ca={authority}
[net]
firewall_policy=0
mtu=1300
[rtp]
audio_rtp_port={rtp}
[sound]
playback_dev_id=ALSA Unknown: none
capture_dev_id=ALSA Unknown: none
"""


class Linphone:
    """One headless linphonec, a context manager. With `answers` it takes every call by itself."""

    def __init__(
        self, folder: Path, user: str, port: int, transport: str, *, authority: str, answers: bool, plays: Path
    ) -> None:
        """It says what is in the file `plays`; `authority`: whose servers it believes over TLS."""
        self._folder = folder / f"linphone-{user}"
        self._home = self._folder / "home"
        (self._home / ".local" / "share" / "linphone").mkdir(parents=True, exist_ok=True)
        ports = {one: port if one == transport else 0 for one in ("udp", "tcp", "tls")}
        text = CONFIGURATION.format(host=HOST, user=user, authority=authority, rtp=free_block(4), **ports)
        (self._folder / "linphonerc").write_text(text)
        self._words = [PROGRAM, *(["-a"] if answers else []), "-c", str(self._folder / "linphonerc")]
        self._log = self._folder / "said.log"
        self._plays, self._heard = plays, self._folder / "heard.wav"
        self.user = user

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._words, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, text=True,
                env={**os.environ, "HOME": str(self._home)},
            )  # fmt: skip
        for line in ("soundcard use files", f"play {self._plays}", f"record {self._heard}"):
            self.command(line)
        return self

    def __exit__(self, *problem: object) -> None:
        try:
            self.command("quit")
            self._process.wait(STOP_S)
        except (subprocess.TimeoutExpired, OSError):
            self._process.kill()
        self._process.communicate()

    def command(self, line: str) -> None:
        """Type one line."""
        if self._process.stdin is not None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def press(self, key: str) -> None:
        self.command(key)

    def heard(self) -> NDArray[np.int16]:
        """What it recorded of the other end, since it was last on hold. After the call."""
        return wav.read(self._heard)[0]

    def wait_said(self, text: str, within_s: float) -> None:
        """Wait until its output holds this. Raises SceneError with the end of its output when it does not in time."""
        give_up = time.monotonic() + within_s
        while text not in (said := self._log.read_text(errors="replace")):
            if time.monotonic() > give_up or self._process.poll() is not None:
                raise SceneError(f"linphonec {self.user} did not say {text!r}: {said[-600:]}")
            time.sleep(POLL_S)
