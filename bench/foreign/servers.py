"""Other people's servers beside the engine: Kamailio as a proxy that stays in the path, sippy's B2BUA."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from santral.bench.ports import HOST, is_free
from santral.bench.scene.stage import SceneError

START_S: Final = 10.0
STOP_S: Final = 5.0
POLL_S: Final = 0.05

ROUTES: Final = {
    "loose": "record_route();",
    "strict": 'insert_hf("Record-Route: <sip:{host}:{port}>\\r\\n", "Via");',  # a proxy of RFC 2543: no `lr`
}
KAMAILIO: Final = """\
#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
listen=udp:{host}:{port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  xlog("L_ERR", "passed $rm to $hdr(CSeq)\\n");
  if (has_totag()) {{
    if (!loose_route() && !is_method("ACK")) {{ sl_send_reply("404", "Not Here"); exit; }}
    if (!t_relay()) sl_reply_error();
    exit;
  }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  {route}
  if ($sp == {engine}) $du = "sip:{host}:{callee}"; else $du = "sip:{host}:{engine}";
  if (!t_relay()) sl_reply_error();
}}
"""


@contextmanager
def _running(words: Sequence[str], port: int, log: Path, environment: dict[str, str] | None = None) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
    try:
        give_up = time.monotonic() + START_S
        while is_free(range(port, port + 1), socket.SOCK_DGRAM):
            if process.poll() is not None or time.monotonic() > give_up:
                raise SceneError(f"{words[0]} does not start: {log.read_text(errors='replace')[-1000:]}")
            time.sleep(POLL_S)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Kamailio:
    """What the proxy told of its traffic."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def passed(self) -> Counter[str]:
        """How many requests of each method went through it so far."""
        return Counter(re.findall(r"passed ([A-Z]+)", self._log.read_text(errors="replace")))


@contextmanager
def kamailio(folder: Path, port: int, *, engine: int, callee: int, routing: str) -> Iterator[Kamailio]:
    """Kamailio on `port`: what the engine sends goes to the callee, all else to the engine; `routing`: of ROUTES."""
    folder.mkdir(parents=True, exist_ok=True)
    path, log = folder / "kamailio.cfg", folder / "kamailio.log"
    route = ROUTES[routing].format(host=HOST, port=port)
    path.write_text(KAMAILIO.format(host=HOST, port=port, engine=engine, callee=callee, route=route))
    with _running(["kamailio", "-f", str(path), "-DD", "-E", "-Y", str(folder), "-m", "16", "-M", "4"], port, log):
        yield Kamailio(log)


@contextmanager
def sippy_b2bua(folder: Path, port: int, *, onward: int) -> Iterator[None]:
    """sippy's `b2bua_simple` on `port`: every call goes on to port `onward`. Raises SceneError without the package."""
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("b2bua_simple", path=str(Path(sys.executable).parent))
    if program is None:
        raise SceneError("sippy is not installed (the extra `peers`)")
    words = [program, "-f", "-l", HOST, "-p", str(port), "-n", f"{HOST}:{onward}", "-L", str(folder / "b2bua.log")]
    with _running(words, port, folder / "sippy.log", {"SIPLOG_BEND": "none"}):
        yield
