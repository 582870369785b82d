"""The node itself: engine, control socket, metrics, traces, SIP and RTP and their networks."""

import socket
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr

from santral.engine.config.fields import (
    Address,
    Collector,
    ConfigPath,
    Count,
    Database,
    Domain,
    ListenAddress,
    Name,
    Nameserver,
    Network,
    Ports,
    Remark,
    ScannerName,
    Seconds,
    SipListen,
    Whole,
    Words,
)
from santral.engine.config.tables.base import (
    AUTHORITIES,
    CERTIFICATE,
    LOCAL_NET,
    PRIVATE_KEY,
    RESTART,
    Table,
)
from santral.engine.config.values import Listen, PortRange

SCANNERS: Final = (  # what the tools call themselves, in lower case
    "friendly-scanner", "sipvicious", "sipcli", "pplsip", "sip-scan", "sipscan", "vaxsipuseragent", "smap", "iwar",
    "sundayddr", "sipsak", "sip-vicious", "custom-scanner",
)  # fmt: skip


class EngineTable(Table):
    """The process and what it keeps on disk."""

    node: Annotated[Name, Remark("host name", restart=True)] = Field(
        default_factory=lambda: socket.gethostname()[:64] or "santral",
        description="Name of this node in events and call records.",
    )
    data_dir: Annotated[ConfigPath, Remark('`"data"`', restart=True)] = Field(
        Path("data"), description="Folder of the database and the control socket."
    )
    database: Annotated[Database, Remark("`sqlite:///` and `data_dir`/santral.db", restart=True)] = Field(
        "sqlite:///data/santral.db", description="Database URL. This version stores in SQLite."
    )
    media_threads: Annotated[Whole, RESTART] = Field(
        0, ge=0, le=64, description="Threads that move media. 0: the machine's cores less one, at least one."
    )
    drain_timeout: Seconds = Field(30.0, description="How long a stop waits for calls in progress.")


class Token(Table):
    """A key to the control socket over TCP."""

    name: Name = Field(description="Name of the token, for logs.")
    secret: Annotated[SecretStr, Words("text")] = Field(
        description='The secret itself; or `secret_env = "NAME"`, an environment variable that holds it; '
        'or `secret_file = "path"`, a file that does.'
    )
    scopes: tuple[Literal["read", "events", "calls", "admin"], ...] = Field(
        min_length=1, description="What the token may do."
    )
    tenant: Name | None = Field(None, description="The tenant it sees. Left out only with the scope `admin`.")


class ControlTable(Table):
    """The control socket."""

    socket: Annotated[ConfigPath, Remark("`data_dir`/control.sock", restart=True)] = Field(
        Path("data/control.sock"), description="Unix socket, mode 0600; whoever can open it is `admin`."
    )
    tcp: Annotated[ListenAddress | None, RESTART] = Field(
        None, description="TCP address for the same protocol. Needs tokens, and off loopback a certificate."
    )
    cert: Annotated[ConfigPath | None, Remark(restart=True)] = Field(
        None, description="Certificate chain (PEM) for TLS on `tcp`; a changed file is read again."
    )
    key: Annotated[ConfigPath | None, Remark("in `cert`", restart=True)] = Field(
        None, description="Private key of `cert` (PEM)."
    )
    token: tuple[Token, ...] = Field((), description="Tokens for TCP.")


class MetricsTable(Table):
    """Prometheus metrics; without this table there are none."""

    listen: Annotated[ListenAddress, RESTART] = Field(description="Address of the HTTP server; the page is `/metrics`.")


class TraceTable(Table):
    """Messages for people to look at: the ladder of each call, and a capture server."""

    ladder: Annotated[Whole, RESTART] = Field(
        64,
        ge=0,
        le=1024,
        description="SIP messages kept of each call, in memory, for `call.get` and `call.trace`. 0: none.",
    )
    hep: Annotated[Collector | None, RESTART] = Field(
        None,
        description="Where SIP messages and, every 5 s, reports of each leg's media are sent, in HEP version 3. "
        "Secrets and hidden numbers are masked.",
    )
    hep_id: Annotated[Whole, RESTART] = Field(1, ge=0, le=2**32 - 1, description="Capture id told to the collector.")
    hep_password: Annotated[SecretStr | None, Words("text"), RESTART] = Field(
        None, description="What the collector asks for; or `hep_password_env`, or `hep_password_file`."
    )


class SipTable(Table):
    """Signalling of the default network, and limits for the whole node."""

    listen: Annotated[
        tuple[SipListen, ...],
        Remark("`udp:127.0.0.1:5060` and `tcp:127.0.0.1:5060`; none where there is an `[[interface]]`", restart=True),
    ] = Field(
        (Listen("udp", "127.0.0.1", 5060), Listen("tcp", "127.0.0.1", 5060)),
        description="Where SIP is listened for. Port 0 takes a free one.",
    )
    advertise: Annotated[Address | None, RESTART] = Field(
        None, description="Public address in Contact, Via and SDP; needed when listening on a wildcard address."
    )
    domain: Annotated[Domain | None, Remark("our address")] = Field(
        None, description="Our domain in From of calls we make."
    )
    certificate: ConfigPath | None = Field(None, description=CERTIFICATE)
    private_key: Annotated[ConfigPath | None, Remark("in `certificate`")] = Field(None, description=PRIVATE_KEY)
    ca: Annotated[ConfigPath | None, Remark("those of the system")] = Field(None, description=AUTHORITIES)
    local_net: Annotated[tuple[Network, ...], RESTART] = Field((), description=LOCAL_NET)
    max_calls: Count = Field(2000, description="Calls at once; more are refused with 503 and Retry-After.")
    max_calls_per_second: Count = Field(100, description="New calls per second; more get 503 and Retry-After.")
    nameservers: Annotated[tuple[Nameserver, ...], Remark("those of the system")] = Field(
        (), max_length=8, description="Name servers asked for SIP servers (RFC 3263)."
    )
    digest: Annotated[tuple[Literal["SHA-256", "MD5"], ...], RESTART] = Field(
        ("SHA-256", "MD5"),
        min_length=1,
        description='Hashes offered in challenges, best first (RFC 8760). `["MD5"]` for phones that stop at the first.',
    )
    scanners: tuple[ScannerName, ...] = Field(
        SCANNERS, description="Texts in `User-Agent` of requests that are dropped without an answer."
    )
    dial_networks: tuple[Network, ...] = Field(
        (),
        description="Where SIP addresses that REFER and redirects name may point, unless they name a number at a host "
        "of ours or of their sender. A trunk's address is reached by routes alone, whose targets are free. None: such "
        "addresses are not called.",
    )


class RtpTable(Table):
    """Media of the default network, and rules for all media."""

    address: Annotated[Address, RESTART] = Field("127.0.0.1", description="Address that RTP is sent from and taken at.")
    ports: Annotated[Ports, RESTART] = Field(
        PortRange(20000, 29999),
        description="RTP ports of every address, from an even to an odd one: each leg takes two. 0 takes free ones.",
    )
    timeout: Annotated[Seconds, RESTART] = Field(
        60.0, description="A leg that hears nothing for so long is ended. 0: never."
    )
    timeout_hold: Annotated[Seconds, RESTART] = Field(0.0, description="The same while on hold. 0: never.")
    no_audio: Annotated[Seconds, RESTART] = Field(
        5.0, description="An event tells of a leg that has not been heard by then. 0: never."
    )


class InterfaceTable(Table):
    """A network of its own, with its addresses."""

    name: Annotated[Name, RESTART] = Field(description="Name, for trunks to refer to; `default` is the one of `[sip]`.")
    sip: Annotated[tuple[SipListen, ...], RESTART] = Field(min_length=1, description="Where SIP is listened for.")
    rtp: Annotated[Address, RESTART] = Field(description="Address of media.")
    advertise: Annotated[Address | None, RESTART] = Field(None, description="Public address in Contact, Via and SDP.")
    local_net: Annotated[tuple[Network, ...], RESTART] = Field((), description=LOCAL_NET)
    certificate: Annotated[ConfigPath | None, Remark("that of `[sip]`")] = Field(None, description=CERTIFICATE)
    private_key: Annotated[ConfigPath | None, Remark("in `certificate`")] = Field(None, description=PRIVATE_KEY)
    ca: Annotated[ConfigPath | None, Remark("that of `[sip]`")] = Field(None, description=AUTHORITIES)
