"""Texts of the configuration that are values of their own: addresses, port ranges, SIP URIs. Parse and print only."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple, Self

MAX_PORT: Final = 65535
DNS_PORT: Final = 53
TRANSPORTS: Final = ("udp", "tcp", "tls", "ws", "wss")
STREAMS: Final = frozenset({"tcp", "tls", "ws", "wss"})  # what takes a TCP port
SECURED: Final = frozenset({"tls", "wss"})  # what needs a certificate
DIALLED: Final = ("udp", "tcp", "tls")  # what we send requests by of our own accord

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\.?$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*\.?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class HostPort:
    """An address and a port to listen on; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`127.0.0.1:7071` or `[::1]:7071`. Raises ValueError."""
        return cls(*_host_port(text, "127.0.0.1:7071"))

    @property
    def is_loopback(self) -> bool:
        return ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where SIP is listened for."""

    transport: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`udp:127.0.0.1:5060`, `tls:[::1]:5061`; port 0 takes a free one. Raises ValueError."""
        transport, colon, rest = text.partition(":")
        if not colon or transport not in TRANSPORTS:
            raise ValueError(f"{text} does not begin with udp:, tcp:, tls:, ws: or wss:, as in udp:127.0.0.1:5060")
        return cls(transport, *_host_port(rest, "udp:127.0.0.1:5060"))

    @property
    def is_wildcard(self) -> bool:
        return ip_address(self.host).is_unspecified

    def collides(self, other: "Listen") -> bool:
        """Whether both cannot be bound at once."""
        if self.port != other.port or self.port == 0 or (self.transport in STREAMS) != (other.transport in STREAMS):
            return False
        if ip_address(self.host).version != ip_address(other.host).version:
            return False
        return self.host == other.host or self.is_wildcard or other.is_wildcard

    def __str__(self) -> str:
        return f"{self.transport}:{bracketed(self.host)}:{self.port}"


class PortRange(NamedTuple):
    """The RTP ports, both ends included; (0, 0) takes free ones."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> "PortRange":
        """`20000-29999`, or `0`. Raises ValueError."""
        found = re.fullmatch(r"(\d{1,5})-(\d{1,5})|0", text, re.ASCII)
        if found is None:
            raise ValueError(f"{text} is no port range: expected as in 20000-29999, or 0 for free ports")
        if found[1] is None:
            return cls(0, 0)
        ports = cls(int(found[1]), int(found[2]))
        if not 1024 <= ports.first < ports.last <= MAX_PORT:
            raise ValueError(f"{text} must go upwards between 1024 and {MAX_PORT}")
        if ports.first % 2 or not ports.last % 2:
            raise ValueError(
                f"{text} must begin at an even port and end at an odd one: RTP takes an even port, RTCP the next"
            )
        return ports

    @property
    def pairs(self) -> int:
        return (self.last - self.first + 1) // 2 if self.last else 0

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" if self.last else "0"


class TargetUri(NamedTuple):
    """A SIP URI a trunk sends calls to: `sip:HOST[:PORT][;transport=udp|tcp|tls]`, or `sips:`.

    `port` 0 and `transport` "" are left to RFC 3263: the name system says, or the defaults hold.
    """

    host: str
    port: int
    transport: str
    text: str

    @classmethod
    def parse(cls, text: str) -> "TargetUri":
        """Raises ValueError."""
        scheme, _, rest = text.partition(":")
        if scheme.lower() not in ("sip", "sips"):
            raise ValueError(f"{text} is no SIP URI: expected as in sip:192.0.2.1:5060;transport=tcp")
        address, *parameters = rest.split(";")
        if "@" in address:
            raise ValueError(f"{text} has a user part: the called number is put there for each call")
        host, port = _target_host(address, text)
        is_secure = scheme.lower() == "sips"
        transport = "tls" if is_secure else ""
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.lower() != "transport":
                raise ValueError(f"{text}: only the parameter transport can be given")
            transport = value.lower()
            if transport not in DIALLED:
                raise ValueError(f"{text}: transport {value} is none of {', '.join(DIALLED)}")
            if is_secure and transport == "udp":
                raise ValueError(f"{text}: sips never goes over UDP")
            transport = "tls" if is_secure else transport
        if not transport and (port or _is_address(host)):
            transport = "udp"  # RFC 3263 section 4.1
        return cls(host, port, transport, text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class AgentEndpoint:
    """Where an agent is reached: `user:101`, `sip:ayse@192.0.2.7:5060`, `trunk:carrier/+905551112233`."""

    kind: Literal["user", "sip", "trunk"]
    name: str  # of the user or the trunk; of a sip: endpoint its user part
    where: str = ""  # the number on the trunk; the URI without its user part

    @classmethod
    def parse(cls, text: str) -> "AgentEndpoint":
        """Raises ValueError."""
        kind, _, rest = text.partition(":")
        if kind == "user" and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", rest):
            return cls("user", rest)
        if kind == "trunk":
            trunk, slash, number = rest.rpartition("/")
            if trunk and slash and re.fullmatch(r"[0-9A-Za-z+*#._-]{1,64}", number):
                return cls("trunk", trunk, number)
        if kind in ("sip", "sips"):
            user, at, address = rest.partition("@")
            if at and re.fullmatch(r"[0-9A-Za-z+*#._!~'()-]{1,64}", user):
                return cls("sip", user, str(TargetUri.parse(f"{kind}:{address}")))
        raise ValueError(
            f"{text[:80]} is no endpoint: expected as in user:101, sip:ayse@192.0.2.7:5060, trunk:carrier/+905551112233"
        )

    def __str__(self) -> str:
        if self.kind == "sip":
            scheme, _, address = self.where.partition(":")
            return f"{scheme}:{self.name}@{address}"
        return f"user:{self.name}" if self.kind == "user" else f"trunk:{self.name}/{self.where}"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def parse_collector(text: str) -> Listen:
    """`udp:192.0.2.1:9060` or `tcp:[2001:db8::1]:9060`: where somebody else listens. Raises ValueError."""
    found = Listen.parse(text)
    if found.transport not in ("udp", "tcp"):
        raise ValueError(f"{text} does not begin with udp: or tcp:, as in udp:127.0.0.1:9060")
    if found.port == 0 or found.is_wildcard:
        raise ValueError(f"{text} is nowhere to send to: an address and a port, as in udp:127.0.0.1:9060")
    return found


def parse_address(text: str) -> str:
    """An IPv4 or IPv6 address, in its shortest spelling and without brackets. Raises ValueError."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ip_address(inner)
    except ValueError:
        raise ValueError(f"{text} is no IP address") from None
    if "%" in inner:
        raise ValueError(f"{text}: addresses with a zone are not supported by this version")
    return str(address)


def parse_nameserver(text: str) -> HostPort:
    """`192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:5353`. Raises ValueError."""
    try:
        return HostPort(parse_address(text), DNS_PORT)
    except ValueError:
        return HostPort.parse(text)


def parse_domain(text: str) -> str:
    """A host name or address, in lower case. Raises ValueError."""
    if not _HOST_NAME.fullmatch(text):
        raise ValueError(f"{text} is no domain name")
    return text.lower().rstrip(".")


def _port(text: str, lowest: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and lowest <= int(text) <= MAX_PORT):
        raise ValueError(f"{text or 'nothing'} is no port: {lowest} to {MAX_PORT}")
    return int(text)


def _host_port(text: str, example: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"{text} has no port: expected as in {example}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{text}: an IPv6 address needs brackets, as in [::1]:{port or 5060}")
    return parse_address(host), _port(port)


def _target_host(address: str, text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?", address)
    if found is None:
        raise ValueError(f"{text}: an IPv6 address needs brackets, as in sip:[2001:db8::1]:5060")
    host, port = found[1], found[2]
    if host.startswith("["):
        host = parse_address(host)
    elif not _HOST_NAME.fullmatch(host):
        raise ValueError(f"{text} names no host")
    elif host.replace(".", "").isdigit():
        host = parse_address(host)
    return host, 0 if port is None else _port(port, lowest=1)
