"""The kinds of value a configuration key can have, each with the words the reference page uses for it."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, StrictBool, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic.types import Strict

from santral.engine.calls.crossing.rules import MAX_VALUE, TEMPLATE_NAMES
from santral.engine.config.values import (
    AgentEndpoint,
    HostPort,
    Listen,
    PortRange,
    TargetUri,
    parse_address,
    parse_collector,
    parse_domain,
    parse_nameserver,
)
from santral.routing.hours import Hours
from santral.routing.numbers import Pattern, Template
from santral.routing.trunks import Acceptance


@dataclass(frozen=True, slots=True)
class Words:
    """How the reference page names a kind of value."""

    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What the reference page and reload know of a key besides its type.

    `default` replaces the default's own text; `restart`: changing it takes a restart.
    """

    default: str | None = None
    restart: bool = False


def remark_of(field: FieldInfo) -> Remark:
    """What the model says of a key besides its type."""
    return next((one for one in field.metadata if isinstance(one, Remark)), Remark())


def parsed(parse: Callable[[str], Any], *kinds: type) -> PlainValidator:
    """A validator for texts that `parse` turns into a value of these kinds; its ValueError is the message."""

    def validate(value: Any) -> Any:
        if isinstance(value, kinds):
            return value
        if not isinstance(value, str):
            raise ValueError("must be text")
        return parse(value)

    return PlainValidator(validate)


def parse_network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as problem:
        raise ValueError(str(problem)) from None


def parse_header_value(text: str) -> Template:
    """A template for the value of a header: bounded, printable, with names that rules can fill."""
    if len(text) > MAX_VALUE or not text.isprintable():
        raise ValueError(f"must be at most {MAX_VALUE} characters and no control characters")
    template = Template.parse(text)
    if unknown := sorted(template.names - TEMPLATE_NAMES):
        raise ValueError(f"there is no {{{unknown[0]}}} here: {', '.join(sorted(TEMPLATE_NAMES))}")
    return template


def _path(value: Any, info: ValidationInfo) -> Path:
    """A path, made absolute: relative ones start at the configuration file's folder (`info.context`)."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be the path of a file or folder")
    folder: Path = info.context if isinstance(info.context, Path) else Path.cwd()
    return folder / Path(value).expanduser()


def _database(value: Any, info: ValidationInfo) -> str:
    """A database URL; the file of an SQLite one is made absolute like every path."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    if value.startswith(("postgresql:", "postgresql+")):
        raise ValueError("PostgreSQL comes with a later version; this one stores in SQLite")
    file = value.removeprefix("sqlite:///")
    if file == value or not file or file.startswith(":") or "?" in file:
        raise ValueError("must be sqlite:/// and the path of a file")
    return f"sqlite:///{_path(file, info)}"


def _session_time(value: int) -> int:
    """RFC 4028 section 5: 90 s is the shortest; 0 stands for none."""
    if 0 < value < MIN_SESSION_S:
        raise ValueError(f"must be 0 or at least {MIN_SESSION_S}")
    return value


MIN_SESSION_S = 90
MOST = 1_000_000_000  # calls, or seconds: beyond any use, and small enough for every clock and counter

Yes = StrictBool
Whole = Annotated[int, Strict()]
Count = Annotated[int, Strict(), Field(ge=1, le=MOST), Words("integer ≥ 1")]
Seconds = Annotated[float, Strict(), Field(ge=0, le=MOST, allow_inf_nan=False), Words("seconds ≥ 0")]
TryTime = Annotated[float, Strict(), Field(gt=0, le=32, allow_inf_nan=False), Words("seconds > 0, up to 32")]
ProgressTime = Annotated[float, Strict(), Field(gt=0, le=180, allow_inf_nan=False), Words("seconds > 0, up to 180")]
SessionTime = Annotated[
    int, Strict(), Field(ge=0, le=86_400), AfterValidator(_session_time), Words("seconds, 0 or from 90 to 86400")
]
MinSessionTime = Annotated[int, Strict(), Field(ge=MIN_SESSION_S, le=86_400), Words("seconds from 90 to 86400")]
RingTime = Annotated[float, Strict(), Field(gt=0, le=3600, allow_inf_nan=False), Words("seconds > 0, up to 3600")]

Name = Annotated[str, Field(pattern=r"^\w[\w .-]{0,63}$"), Words("name")]
Label = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$"), Words("text")]
DialNumber = Annotated[str, Field(pattern=r"^[0-9A-Za-z+*#._-]{1,64}$"), Words("number")]
UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$"), Words("name")]
ScannerName = Annotated[str, Field(min_length=4, max_length=64, pattern=r"^[\x21-\x7e]+$"), Words("text")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$"), Words("language tag, as `tr` or `en-GB`")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), Words("two letters (ISO 3166)")]

CallQueueName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"), Words("name")]
DialKey = Annotated[str, Field(pattern=r"^[0-9*#]$"), Words("key")]
DialKeys = Annotated[str, Field(pattern=r"^[0-9*#]{0,12}$"), Words("keys")]
SkillLevel = Annotated[Whole, Field(ge=1, le=10), Words("1 to 10")]
Endpoint = Annotated[
    AgentEndpoint, parsed(AgentEndpoint.parse, AgentEndpoint), Words("`user:NAME`, `sip:…` or `trunk:NAME/NUMBER`")
]

ConfigPath = Annotated[Path, PlainValidator(_path), Words("path")]
Database = Annotated[str, PlainValidator(_database), Words("URL")]
Address = Annotated[str, parsed(parse_address), Words("IP address")]
Domain = Annotated[str, parsed(parse_domain), Words("domain name")]
Network = Annotated[IPv4Network | IPv6Network, parsed(parse_network, IPv4Network, IPv6Network), Words("network")]
AcceptFrom = Annotated[Acceptance, parsed(Acceptance.parse, Acceptance), Words("`NETWORK[:PORT]`")]
Nameserver = Annotated[HostPort, parsed(parse_nameserver, HostPort), Words("`ADDRESS[:PORT]`")]
ListenAddress = Annotated[HostPort, parsed(HostPort.parse, HostPort), Words("`ADDRESS:PORT`")]
Collector = Annotated[Listen, parsed(parse_collector, Listen), Words("`udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`")]
SipListen = Annotated[Listen, parsed(Listen.parse, Listen), Words("`TRANSPORT:ADDRESS:PORT`")]
Ports = Annotated[PortRange, parsed(PortRange.parse, PortRange), Words("`FIRST-LAST` or `0`")]
Uri = Annotated[TargetUri, parsed(TargetUri.parse, TargetUri), Words("SIP URI")]
FullMatch = Annotated[Pattern, parsed(Pattern, Pattern), Words("RE2 pattern, full match")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!%*_+`'~.-]{1,64}$"), Words("header name")]
XHeaderName = Annotated[str, Field(pattern=r"^[Xx]-[A-Za-z0-9_.-]{1,62}$"), Words("header name `X-…`")]
CustomName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$"), Words("name")]
HeaderTemplate = Annotated[Template, parsed(parse_header_value, Template), Words("template")]
NumberTemplate = Annotated[Template, parsed(Template.parse, Template), Words("template")]
OpenHours = Annotated[Hours, parsed(Hours.parse, Hours), Words("`DAYS TIMES ZONE`")]
