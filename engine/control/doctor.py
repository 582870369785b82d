"""What is wrong with this machine, and how to mend it. Looks only; changes nothing, and needs no running engine."""

import contextlib
import ctypes
import importlib.machinery
import importlib.util
import os
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from santral.engine.config.model import Config
from santral.engine.control import sockets

FILES_PER_CALL: Final = 4  # two legs, RTP and RTCP each
FILES_BESIDE: Final = 128  # listeners, database, control clients
PORTS_PER_CALL: Final = 4
SOCKET_BUFFERS: Final = {"rmem_max": 1 << 20, "wmem_max": 200_000}  # bytes; SIP bursts come in faster than they leave
BUFFERS_ADVISED: Final = 8 << 20  # what the SIP sockets ask for
FREE_DISK: Final = 1 << 30  # bytes
STEADY_CLOCKS: Final = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen")
ADJTIMEX_BYTES: Final = 256  # at least sizeof(struct timex)
CLOCK_ADRIFT: Final = 5  # TIME_ERROR of adjtimex(2): nobody keeps the clock
PYTHON: Final = (3, 11)
COMPILED: Final = ("santral.codecs.g711", "santral.codecs.opus", "santral.engine.media.core.thread")
OPTIONAL: Final = {  # module -> what is missing without it
    "uvloop": "the engine does not start",
    "av": "no files can be played",
    "re2": "no routes can be matched",
    "espeakng_loader": "the sounds cannot be made again (extra `sounds`)",
    "matplotlib": "no pictures in demo and bench (extra `demo`)",
}
NEEDED: Final = ("uvloop", "av", "re2")
STORES: Final = {"s3": "s3fs", "sftp": "sshfs"}  # of the extra `storage`, where a store is of this kind

PROC: Final = Path("/proc")
CLOCK_SOURCE: Final = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` says what to do, and is empty when all is well."""

    check: str
    state: Literal["ok", "warning", "error"]
    found: str
    mend: str = ""


def examine(config: Config) -> list[dict[str, Any]]:
    """Look at everything that matters for this configuration; one map per finding."""
    return [asdict(finding) for look in LOOKS for finding in look(config)]


def open_files(config: Config) -> Iterator[Finding]:
    """The hard limit is what counts: the engine raises its own soft limit to it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = config.sip.max_calls * FILES_PER_CALL + FILES_BESIDE
    if hard == resource.RLIM_INFINITY or hard >= needed:
        yield Finding("open files", "ok", f"{hard} allowed, {needed} needed for {config.sip.max_calls} calls")
    else:
        calls = max(0, hard - FILES_BESIDE) // FILES_PER_CALL
        yield Finding(
            "open files",
            "warning",
            f"{hard} allowed: enough for {calls} calls, sip.max_calls is {config.sip.max_calls}",
            f"LimitNOFILE={needed} in the service, or `ulimit -Hn {needed}`, or a lower sip.max_calls",
        )


def socket_buffers(_config: Config) -> Iterator[Finding]:
    """What one socket may ask for; a short one loses bursts."""
    for name, needed in SOCKET_BUFFERS.items():
        allowed = read_number(PROC / "sys/net/core" / name)
        if allowed is None:
            yield Finding(name, "warning", "cannot be read", "look at it on the host: sysctl net.core")
        elif allowed >= needed:
            yield Finding(name, "ok", f"{allowed} bytes")
        else:
            mend = f"sysctl -w net.core.{name}={BUFFERS_ADVISED}, and the same in /etc/sysctl.d/"
            yield Finding(name, "warning", f"{allowed} bytes: bursts of SIP may be lost", mend)


def clocks(_config: Config) -> Iterator[Finding]:
    """A steady clock paces audio; a right one dates records."""
    source = read_text(CLOCK_SOURCE)
    if source is None or source in STEADY_CLOCKS:
        yield Finding("clock source", "ok", source or "unknown")
    else:
        mend = "choose tsc (or the hypervisor's own) as clock source: reading this one is slow"
        yield Finding("clock source", "warning", source, mend)
    if clock_is_kept():
        yield Finding("clock", "ok", "synchronised")
    else:
        mend = "run chrony or systemd-timesyncd, here or on the host; records and recordings carry this clock's time"
        yield Finding("clock", "warning", "not synchronised", mend)


def sip_ports(config: Config) -> Iterator[Finding]:
    """Whether the engine could listen where it is told to; ports of a running engine of this process are its own."""
    if is_answering(config.control.socket):
        yield Finding("SIP ports", "ok", "an engine with this configuration is running")
        return
    for network in config.interfaces.values():
        for where in network.sip:
            problem = bind_problem(where.transport, where.host, where.port)
            named = f"SIP {where.transport}:{where.host}:{where.port}"
            if problem is None:
                yield Finding(named, "ok", "free")
            else:
                mend = "stop what uses it (`ss -lnp` names it), or change sip.listen"
                yield Finding(named, "error", problem, mend)


def rtp_ports(config: Config) -> Iterator[Finding]:
    """The range must be long enough, free, and not where the kernel takes ports for others."""
    first, last = config.rtp.ports.first, config.rtp.ports.last
    if last == 0:
        yield Finding("RTP ports", "ok", "any free ones")
        return
    named, size = f"RTP ports {first}-{last}", last - first + 1
    calls = size // PORTS_PER_CALL
    taken = sorted(port for port in bound_udp_ports() if first <= port <= last)
    if calls < config.sip.max_calls:
        found = f"{size} ports carry {calls} calls, sip.max_calls is {config.sip.max_calls}"
        yield Finding(named, "warning", found, "widen rtp.ports, or lower sip.max_calls")
    if taken and not is_answering(config.control.socket):
        shown = ", ".join(map(str, taken[:8])) + (", …" if len(taken) > 8 else "")
        yield Finding(
            named, "warning", f"{len(taken)} used by others: {shown}", "the engine goes around them; or move rtp.ports"
        )
    ephemeral = read_text(PROC / "sys/net/ipv4/ip_local_port_range")
    if ephemeral is not None:
        low, high = (int(each) for each in ephemeral.split())
        reserved = read_text(PROC / "sys/net/ipv4/ip_local_reserved_ports") or ""
        if first <= high and last >= low and f"{first}-{last}" not in reserved:
            found = f"within {low}-{high}, from which the kernel gives ports to other programs"
            yield Finding(named, "warning", found, f"sysctl -w net.ipv4.ip_local_reserved_ports={first}-{last}")
            return
    yield Finding(named, "ok", f"{calls} calls at {PORTS_PER_CALL} ports")


def storage(config: Config) -> Iterator[Finding]:
    """The folders of data and of recordings: there, writable, private, with room."""
    yield folder_state("data folder", config.engine.data_dir, "engine.data_dir", "records and captures wait")
    yield folder_state("recordings", config.recording.dir, "recording.dir", "finished recordings wait")
    socket_folder = config.control.socket.parent
    if socket_folder.exists() and not sockets.is_private(socket_folder):
        mend = f"chmod 700 {socket_folder}"
        yield Finding("control socket", "warning", f"others may look into {socket_folder}", mend)


def folder_state(check: str, folder: Path, key: str, what: str) -> Finding:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(check, "error", f"{folder}: not writable", f"chown it, or change {key} ({there})")
    free = shutil.disk_usage(there).free
    if free < FREE_DISK:
        return Finding(check, "warning", f"{folder}: {free >> 20} MiB free", f"make room: {what} on a full disk")
    return Finding(check, "ok", f"{folder}: {free >> 30} GiB free")


def libraries(config: Config) -> Iterator[Finding]:
    """Python, the compiled parts, and what is optional."""
    running = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        yield Finding("Python", "error", running, f"Python {PYTHON[0]}.{PYTHON[1]} or later")
    else:
        yield Finding("Python", "ok", running)
    missing = [name for name in COMPILED if not is_compiled(name)]
    if missing:
        yield Finding(
            "compiled modules", "error", f"missing: {', '.join(missing)}", "make build (needs gcc and python3-dev)"
        )
    else:
        yield Finding("compiled modules", "ok", "built")
    wanted = dict(OPTIONAL)
    if config.engine.database.startswith("postgresql"):
        wanted["psycopg"] = "engine.database cannot be opened"
    for store in config.recording.stores:
        library = STORES.get(store.url.partition(":")[0])
        if library:
            wanted[library] = f"recordings cannot go to the store {store.name}"
    for name, without in wanted.items():
        if importlib.util.find_spec(name) is not None:
            yield Finding(name, "ok", "installed")
        else:
            is_needed = name in {*NEEDED, "psycopg", *STORES.values()}
            state: Literal["warning", "error"] = "error" if is_needed else "warning"
            yield Finding(name, state, f"missing: {without}", f"pip install {name.replace('_', '-')}")


def codec_libraries(_config: Config) -> Iterator[Finding]:
    """Codecs that are others' work and called by address."""
    if not is_compiled("santral.codecs.opus"):
        return
    opus = importlib.import_module("santral.codecs.opus")
    if opus.IS_THERE:
        yield Finding("libopus", "ok", f"{opus.VERSION} in {opus.FOUND_AT}")
    else:
        yield Finding("libopus", "warning", f"{opus.FOUND_AT}: Opus is passed through only", "apt install libopus0")


LOOKS: Final[tuple[Callable[[Config], Iterator[Finding]], ...]] = (
    libraries,
    codec_libraries,
    open_files,
    socket_buffers,
    clocks,
    storage,
    sip_ports,
    rtp_ports,
)


def is_compiled(name: str) -> bool:
    """Tell whether a module exists as machine code."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return False
    return spec is not None and isinstance(spec.loader, importlib.machinery.ExtensionFileLoader)


def is_answering(path: Path) -> bool:
    """Tell whether an engine answers on this control socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        with contextlib.suppress(OSError):
            probe.connect(str(path))
            return True
    return False


def bind_problem(transport: str, host: str, port: int) -> str | None:
    """Say why nobody could listen there now; None when one could."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        family = socket.getaddrinfo(host, port, type=kind)[0][0]
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as problem:
        return (problem.strerror or str(problem)).lower()
    return None


def bound_udp_ports() -> set[int]:
    """Return the local UDP ports in use by other processes."""
    ours = own_sockets()
    found = set()
    for table in ("udp", "udp6"):
        for line in (read_text(PROC / "net" / table) or "").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[9] not in ours:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def own_sockets() -> set[str]:
    """Return the inode numbers of this process's sockets."""
    found = set()
    for each in (PROC / "self/fd").iterdir():
        with contextlib.suppress(OSError):
            name = os.readlink(each)
            if name.startswith("socket:["):
                found.add(name[8:-1])
    return found


def clock_is_kept() -> bool:
    """Ask the kernel whether something keeps the clock; True where it will not say."""
    try:
        answer: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(ADJTIMEX_BYTES))
    except (OSError, AttributeError):
        return True
    return answer != CLOCK_ADRIFT


def read_text(path: Path) -> str | None:
    """Read a small file of the kernel's; None when there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def read_number(path: Path) -> int | None:
    """Read a number from such a file."""
    text = read_text(path)
    return int(text) if text and text.isdigit() else None
