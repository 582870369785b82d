"""baresip (Debian `baresip-core`) as a phone: plays a file, records what it hears, presses keys, reports keys.

Its ways: it refuses the interface name `lo` but takes 127.0.0.1; it ends the call when the played file ends, hence the
silence after the speech; it can record (module sndfile) but not play into a file, and records what it hears up to the
first hold only.
"""

import json
import socket
import subprocess
import time
import wave
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from santral.bench.peer import wav
from santral.bench.ports import HOST, free_block, free_ports
from santral.bench.scene.stage import SceneError

PROGRAM: Final = "baresip"
START_S: Final = 10.0
POLL_S: Final = 0.05
RTP_PORTS: Final = 40
SILENCE_AFTER_S: Final = 30
MODULES: Final = {"PCMA": "g711.so", "PCMU": "g711.so", "G722": "g722.so", "opus": "opus.so"}  # codec: module

CONFIGURATION: Final = """\
poll_method epoll
net_interface {host}
sip_listen {host}:{port}
audio_source aufile,{played}
audio_player aubridge,nil
audio_alert aubridge,nil
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_txmode thread
audio_buffer 20-160
rtp_ports {rtp}-{rtp_last}
rtcp_enable yes
jitter_buffer_delay 5-10
ring_aufile none
ringback_aufile none
module_path /usr/lib/baresip/modules
{modules}
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
snd_path {folder}
"""


class Baresip:
    """One headless baresip, a context manager. It answers calls by itself; `dial` makes it the caller."""

    def __init__(
        self,
        folder: Path,
        name: str,
        port: int,
        plays: Path,
        *,
        user: str = "",
        codec: str = "PCMA",
        srtp: str = "",
        account: str = "",
        authority: str = "",
    ) -> None:
        """`user` is the number it can be called at: it answers no other. `codec` is the only one it has; `srtp` how it
        encrypts media, as it names the ways: `srtp` beside plain RTP, `srtp-mand` or nothing. `account` is a whole line
        of its accounts instead, for one that registers; `authority` the file of whose servers it believes over TLS.
        """
        self._folder = folder / f"baresip-{name}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._control = free_ports(1)[0]
        self.name = name
        played = self._folder / "played.wav"
        samples, rate_hz = wav.read(plays)
        wav.write(played, np.concatenate([samples, np.zeros(SILENCE_AFTER_S * rate_hz, np.int16)]), rate_hz)
        rtp = free_block(RTP_PORTS)
        text = CONFIGURATION.format(
            host=HOST,
            port=port,
            played=played,
            rtp=rtp,
            rtp_last=rtp + RTP_PORTS - 1,
            control=self._control,
            folder=self._folder,
            modules="\n".join(f"module {one}" for one in (MODULES[codec], *(("srtp.so",) if srtp else ()))),
        )
        text += f"sip_cafile {authority}\nsip_verify_server yes\n" if authority else ""
        (self._folder / "config").write_text(text)
        account = account or f"<sip:{user or name}@{HOST}:{port}>;regint=0;answermode=auto;audio_codecs={codec}"
        account += f";mediaenc={srtp}\n" if srtp else "\n"
        (self._folder / "accounts").write_text(account)

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-4", "-f", str(self._folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._connect()
        except BaseException:
            self._end()
            raise
        return self

    def _connect(self) -> None:
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up and self._process.poll() is None:
            try:
                self._socket = socket.create_connection((HOST, self._control), 1)
            except OSError:
                time.sleep(POLL_S)
            else:
                self._received = b""
                self.events: list[dict[str, Any]] = []
                return
        raise SceneError(f"baresip {self.name} does not start, see {self._folder / 'log'}")

    def __exit__(self, *problem: object) -> None:
        self._socket.close()
        self._end()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def command(self, name: str, parameters: str = "") -> None:
        """One command of its menu, as a netstring of JSON."""
        message = json.dumps({"command": name, "params": parameters, "token": name}).encode()
        self._socket.sendall(b"%d:%s," % (len(message), message))

    def dial(self, uri: str) -> None:
        self.command("dial", uri)

    def press(self, key: str) -> None:
        self.command("sndcode", key)

    def hold(self) -> None:
        self.command("hold")

    def resume(self) -> None:
        self.command("resume")

    def transfer(self, uri: str) -> None:
        """Blind: a REFER in the call."""
        self.command("transfer", uri)

    def hang_up(self) -> None:
        self.command("hangup")

    def wait_for(self, kind: str, seconds: float) -> dict[str, Any]:
        """The next event of this type, as its control interface names it. Raises SceneError when none comes in time."""
        give_up, looked = time.monotonic() + seconds, 0
        while True:
            for event in self.events[looked:]:
                if event.get("type") == kind:
                    return event
            looked = len(self.events)
            if time.monotonic() >= give_up:
                seen = [event.get("type") for event in self.events if event.get("event")]
                raise SceneError(f"baresip {self.name}: no {kind} within {seconds:.0f} s, but {seen}")
            self._receive()

    def _receive(self) -> None:
        self._socket.settimeout(POLL_S)
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            return
        self._received += data
        while b":" in self._received:
            length, _, rest = self._received.partition(b":")
            if len(rest) <= int(length):
                return
            self.events.append(json.loads(rest[: int(length)]))
            self._received = rest[int(length) + 1 :]

    def keys_heard(self) -> str:
        """Keys it said were pressed at the other end, so far."""
        self._receive()
        return "".join(event.get("param", "") for event in self.events if event.get("type") == "CALL_DTMF_START")

    def heard_at(self) -> tuple[NDArray[np.int16], int]:
        """What it recorded of the other end, one ear of it, and the sampling rate of its codec. After the call."""
        with wave.open(str(self._recorded())) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
            return samples[:: file.getnchannels()], file.getframerate()

    def heard(self) -> NDArray[np.int16]:
        """What it recorded of the other end, with a codec of 8 kHz. After the call."""
        return wav.read(self._recorded())[0]

    def _recorded(self) -> Path:
        files = sorted(self._folder.glob("dump-*-dec.wav"))
        if not files:
            raise SceneError(f"baresip {self.name} recorded nothing")
        return files[-1]
