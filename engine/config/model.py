"""The configuration's shape: one frozen model per table, names exactly as in the file.

What each key means is said here, and `docs/configuration.md` is made from it. What needs a look at more than one table
is in `checks`.
"""

import socket
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, field_validator, model_validator

from santral.engine.calls.crossing.rules import MAX_RULES, objection
from santral.engine.config.fields import (
    AcceptFrom,
    Address,
    Collector,
    ConfigPath,
    Count,
    Country,
    CustomName,
    Database,
    DialNumber,
    Domain,
    FullMatch,
    HeaderName,
    HeaderTemplate,
    Label,
    Language,
    ListenAddress,
    MinSessionTime,
    Name,
    Nameserver,
    Network,
    NumberTemplate,
    OpenHours,
    Ports,
    ProgressTime,
    Remark,
    RingTime,
    ScannerName,
    Seconds,
    SessionTime,
    SipListen,
    TryTime,
    Uri,
    UserName,
    Whole,
    Words,
    XHeaderName,
    Yes,
)
from santral.engine.config.problems import Problem
from santral.engine.config.values import Listen, PortRange
from santral.routing.routes import RING_S

SCANNERS: Final = (  # what the tools call themselves, in lower case
    "friendly-scanner", "sipvicious", "sipcli", "pplsip", "sip-scan", "sipscan", "vaxsipuseragent", "smap", "iwar",
    "sundayddr", "sipsak", "sip-vicious", "custom-scanner",
)  # fmt: skip
DEFAULT_INTERFACE: Final = "default"  # the name of the network that [sip] and [rtp] describe
CERTIFICATE: Final = "Certificate chain (PEM) for tls and wss, shown to servers too. A changed file is read again."
PRIVATE_KEY: Final = "Private key of the certificate (PEM, not encrypted)."
AUTHORITIES: Final = "Authorities (PEM) that peers' certificates are checked with."
LOCAL_NET: Final = "Networks whose peers are told the address listened on, not `advertise`."
Dtmf = Literal["auto", "rfc4733", "info", "inband"]
RESTART: Final = Remark(restart=True)


class Table(BaseModel):
    """A table of the file. Unknown keys are errors; nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


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


class TenantTable(Table):
    """A customer; calls, trunks and routes of one never meet another's unless shared."""

    name: Name = Field(description="Name of the tenant.")
    domain: Domain | None = Field(
        None, description="Domain of its users' addresses, `user@domain`, and the realm of their passwords."
    )
    country: Country | None = Field(
        None,
        description="Where its national numbers are at home: for `number_format` and its `[[number]]` rows; and whose "
        "tones its callers hear.",
    )
    sounds: ConfigPath | None = Field(
        None, description="Folder of its sound files; the embedded ones are there anyway."
    )
    language: Language | None = Field(
        None, description="Its language: a folder of this name inside `sounds` is looked into first."
    )
    international: Yes = Field(
        False, description="Calls made by command may go abroad; without a `country` all numbers are abroad."
    )
    premium: Yes = Field(False, description="Calls made by command may go to premium numbers.")
    max_duration: Count = Field(14400, description="Seconds after which a call is ended.")
    emergency: Annotated[tuple[DialNumber, ...], Remark("those of `country`")] = Field(
        (), description="Numbers people call for help. Users' calls to them take the emergency trunks, past all limits."
    )


class TargetTable(Table):
    """One target of a trunk, where it needs a weight."""

    uri: Uri = Field(
        description="`sip:HOST[:PORT][;transport=udp|tcp|tls]` or `sips:HOST[:PORT]`; no user part. "
        "Without port and transport the name system says (RFC 3263)."
    )
    weight: Whole = Field(1, ge=0, le=65535, description="Share of the calls with strategy `weighted`; 0 comes last.")


class HeaderTable(Table):
    """A change to the headers of the INVITEs of a trunk, in the order of the file.

    `in`: what it sends, before anything is read of it. `out`: what it is sent. Templates: `{caller}`, `{called}`,
    `{caller_name}`, `{tenant}`, `{trunk}`, `{call}`, and slices of them.
    """

    direction: Literal["in", "out"] = Field(description="Which INVITEs: those it sends or those it is sent.")
    action: Literal["add", "remove", "rename", "copy"] = Field(
        description="`add` a header, `remove` all of that name, `rename` them, or `copy` them: with `out` from the "
        "INVITE of the other side, which is the only way for a header to cross."
    )
    name: HeaderName = Field(description="Name of the header. Those of the SIP stack are refused.")
    value: HeaderTemplate | None = Field(None, description="With `add`: the value, a template.")
    to: HeaderName | None = Field(None, description="With `rename` and `copy`: the new name.")

    @model_validator(mode="after")
    def _fits_the_action(self) -> "HeaderTable":
        if (self.value is not None) != (self.action == "add"):
            raise ValueError("value goes with add, which needs one")
        if self.to is not None and self.action not in ("rename", "copy"):
            raise ValueError("to goes with rename and copy only")
        if self.to is None and (self.action == "rename" or (self.action == "copy" and self.direction == "in")):
            raise ValueError("to is required: the new name")
        for name in (self.name, self.to):
            said = objection(self.action, name, is_target=name is self.to) if name is not None else None
            if said is not None:
                raise ValueError(said)
        return self


CodecName = Literal["pcma", "pcmu", "g722", "opus", "l16", "g729"]


class TrunkTable(Table):
    """A way to and from a carrier or a PBX."""

    name: Name = Field(description="Name of the trunk.")
    tenant: Name = Field(description="Whose trunk it is.")
    targets: Annotated[tuple[TargetTable, ...], Words("list of SIP URIs, or of `{ uri, weight }`")] = Field(
        (), max_length=32, description="Where calls are sent; none: the trunk only brings calls."
    )
    accept_from: tuple[AcceptFrom, ...] = Field(
        (), max_length=256, description="Who may call in on this trunk. The port counts for UDP only."
    )
    match_interface: Name | None = Field(None, description="Only calls that come in on this interface.")
    match_domain: Domain | None = Field(None, description="Only calls whose request URI has this host.")
    match_called: FullMatch | None = Field(None, description="Only calls to such numbers.")
    match_trunk_group: Label | None = Field(None, description="Only calls with this `tgrp` parameter (RFC 4904).")
    strategy: Literal["failover", "round_robin", "weighted"] = Field(
        "failover", description="Order of the targets: as written, each call starting one further, or drawn by weight."
    )
    codecs: tuple[CodecName, ...] = Field(
        ("pcma", "pcmu"),
        min_length=1,
        description="Codecs offered and accepted, best first; g729 is only passed through.",
    )
    transcode: Yes = Field(
        True, description="Offer it, behind what the other side has, the codecs that can be converted to that."
    )
    srtp: Literal["off", "optional", "required"] = Field(
        "off",
        description="Encrypted media (SRTP, keys in the SDP): none; offered beside plain RTP and taken where offered "
        "(RFC 8643); or nothing else.",
    )
    dtmf: Dtmf = Field(
        "auto",
        description="How its digits come and go: telephone-event (RFC 4733), SIP INFO, tones in the audio; `auto`: "
        "telephone-event where agreed on, else tones, and INFO is taken too. Two ways that differ are converted.",
    )
    interface: Annotated[Name | None, Remark("`default`, or the only one")] = Field(
        None, description="The network it is reached by."
    )
    full: Literal[486, 503] = Field(486, description="Answer to calls beyond `channels`.")
    auth_inbound: Literal["ip", "tls", "digest"] = Field(
        "ip",
        description="How callers prove who they are: by address, by the certificate of their connection, or by address "
        "and a challenge to `username`.",
    )
    tls_names: Annotated[tuple[Domain, ...], Remark("the hosts of `targets`")] = Field(
        (), max_length=64, description='With `auth_inbound = "tls"`: names of which the certificate must have one.'
    )
    tls_wildcards: Yes = Field(
        False, description="Believe certificates of its servers that name `*.DOMAIN` (RFC 5922 advises against it)."
    )
    certificate: Annotated[ConfigPath | None, Remark("that of its network")] = Field(
        None, description="Certificate chain (PEM) shown to its servers. A changed file is read again."
    )
    private_key: Annotated[ConfigPath | None, Remark("in `certificate`")] = Field(None, description=PRIVATE_KEY)
    ca: Annotated[ConfigPath | None, Remark("that of its network")] = Field(
        None, description="Authorities (PEM) that its servers' certificates are checked with."
    )
    username: Label | None = Field(None, description="What we answer its challenges with, and callers answer ours.")
    password: Annotated[SecretStr | None, Words("text")] = Field(
        None, description="The password of `username`; or `password_env`, `password_file`, as with a token's secret."
    )
    realm: Annotated[Label | None, Remark("that of its first challenge")] = Field(
        None, description="The only realm our credentials are given to; also that of our own challenges."
    )
    register_: Yes = Field(
        False,
        alias="register",
        description="Register as `username` with the first target; calls to the contact we give are this trunk's.",
    )
    options_interval: Seconds = Field(
        30.0, description="Ask each target so often whether it is there; one that is not is left out. 0: never."
    )
    emergency: Yes = Field(False, description="Takes calls to emergency numbers, which no limit but their own stops.")
    media_from: tuple[Network, ...] = Field(
        (), description="Networks its media may come from, besides the SDP address."
    )
    nat: Yes = Field(False, description="Media may also come from the address the signalling came from.")
    ptime: Literal[10, 20, 30, 40] = Field(20, description="Milliseconds of audio per packet that we ask for.")
    number_format: Literal["e164", "international", "national"] = Field(
        "e164",
        description="How it writes numbers, both ways: `+905551112233`, `905551112233`, or as dialled in the tenant's "
        "country, `05551112233`. Inside they are E.164; what is no number stays as it is.",
    )
    trust: Yes = Field(
        False,
        description="It belongs to our trust domain (RFC 3325): the identity and diversions it tells are believed, and "
        "the number of a caller who hides is told to it, marked as private.",
    )
    identity: Literal["none", "pai", "ppi", "rpid"] = Field(
        "none",
        description="Which header tells it the caller beside From: P-Asserted-Identity (only numbers that a trusted "
        "side vouches for), P-Preferred-Identity or Remote-Party-ID.",
    )
    caller_name: Literal["pass", "none"] = Field("pass", description="Whether it is told the caller's name.")
    from_domain: Annotated[Domain | None, Remark("`sip.domain`, else our address")] = Field(
        None, description="Host of From and of every identity in calls to it."
    )
    user_phone: Yes = Field(False, description="Telephone numbers in calls to it are marked `user=phone` (RFC 3966).")
    diversion: Literal["none", "diversion", "history-info"] = Field(
        "none", description="Which header tells it by whom a call was diverted (RFC 5806, RFC 7044)."
    )
    user_to_user: Yes = Field(False, description="User-to-User (RFC 7433) is taken from it and given to it.")
    session_id: Literal["none", "own", "pass"] = Field(
        "none", description="Session-ID (RFC 7989) in calls to it: one of ours, or the caller's where it sent one."
    )
    x_headers: tuple[XHeaderName, ...] = Field(
        (), max_length=16, description="Headers of its INVITEs that are kept with the call: in events and call records."
    )
    header: tuple[HeaderTable, ...] = Field((), max_length=MAX_RULES, description="Header rules.")
    reliable: Literal["off", "supported", "required"] = Field(
        "supported",
        description="Provisional answers by 100rel (RFC 3262): not at all unless it requires them, where both sides "
        "have it, or required in every call to it.",
    )
    session_expires: SessionTime = Field(
        1800,
        description="Session timer that we ask for (RFC 4028): a call that nobody refreshed for so long is over. "
        "0: none, but its own is honoured.",
    )
    min_se: MinSessionTime = Field(90, description="Shortest session timer that we agree to in calls to it.")
    offer: Literal["early", "late"] = Field(
        "early", description="Whether our INVITEs carry an offer, or leave it to this side to make one in its answer."
    )
    hold: Literal["pass", "music"] = Field(
        "pass",
        description="What hold by this side does: it is passed on to the other side, or kept from it, which hears "
        "`hold-music.wav` of its tenant's sounds (or the embedded one) meanwhile.",
    )
    transfer: Literal["refuse", "local"] = Field(
        "refuse",
        description="What becomes of a REFER from it (transfer): it is refused, or carried out here, as a call from "
        "it to the new place would be: same routes, rights and limits.",
    )
    redirect: Literal["follow", "pass"] = Field(
        "follow",
        description="What becomes of a redirect (3xx) from it: its new places are called as a call from this trunk to "
        "them would be, which takes a route with `from_trunk`; or the caller is told to call them.",
    )
    try_timeout: TryTime = Field(4.0, description="Without any answer for so long, the next target is tried.")
    progress_timeout: ProgressTime = Field(15.0, description="The same when nothing but 100 Trying came.")
    shared: Yes = Field(False, description="Usable by other tenants' routes.")
    channels: Count | None = Field(
        None, description="Calls at once, in and out. Left out: only `sip.max_calls` limits."
    )
    calls_per_second: Count | None = Field(None, description="New calls per second. Left out: only the node's limit.")

    @property
    def tls_profile(self) -> str:
        """Its name, if connections to its servers are secured in a way of their own."""
        return self.name if self.certificate or self.ca or self.tls_wildcards else ""

    @field_validator("targets", mode="before")
    @classmethod
    def _texts_are_targets(cls, value: Any) -> Any:
        return [{"uri": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value


class UserTable(Table):
    """Somebody with phones that register as `name@domain` of the tenant."""

    name: UserName = Field(description="User part of the address, and user name of the digest. Unique in its tenant.")
    tenant: Name = Field(description="Whose user it is; the tenant needs a `domain`.")
    password: Annotated[SecretStr, Words("text")] = Field(
        description="The password; or `password_env`, `password_file`, as with a token's secret."
    )
    number: DialNumber | None = Field(
        None, description="The `[[number]]` of the tenant shown for calls outside; none: anonymous."
    )
    channels: Count = Field(2, description="Calls at once, in and out.")
    international: Yes = Field(False, description="May call numbers abroad; without a `country` all are abroad.")
    premium: Yes = Field(False, description="May call premium numbers.")
    codecs: tuple[CodecName, ...] = Field(
        ("pcma", "pcmu"),
        min_length=1,
        description="Codecs offered and accepted, best first; g729 is only passed through.",
    )
    transcode: Yes = Field(
        True, description="Offer it, behind what the other side has, the codecs that can be converted to that."
    )
    srtp: Literal["off", "optional", "required"] = Field(
        "off",
        description="Encrypted media (SRTP, keys in the SDP): none; offered beside plain RTP and taken where offered "
        "(RFC 8643); or nothing else.",
    )
    dtmf: Dtmf = Field("auto", description="How digits of its phones come and go; see `[[trunk]]`.")
    interface: Annotated[Name | None, Remark("`default`, or the only one")] = Field(
        None, description="The network its phones are on."
    )
    nat: Yes = Field(
        False,
        description="Its phones are behind a NAT: it is kept open, media may come from where they signal from.",
    )
    transfer: Literal["refuse", "local"] = Field(
        "local",
        description="What becomes of a REFER from its phones (transfer): it is refused, or carried out here, as a call "
        "from it to the new place would be: same routes, rights and limits.",
    )


class NumberTable(Table):
    """A number of ours."""

    number: DialNumber = Field(
        description="The number: `+` and country code, or as dialled in the tenant's country; other texts exactly."
    )
    tenant: Name = Field(description="Whose number it is.")
    route: Name = Field(description="The route its calls take; the route's filters must hold.")
    caller_name: Label | None = Field(None, description="Name shown for calls of its tenant from this number.")


KINDS: Final = ("trunk", "user", "conference", "echo", "play", "reject")  # of destinations


class DestinationTable(Table):
    """One destination of a route: exactly one of `trunk`, `user`, `conference`, `echo`, `play`, `reject`."""

    trunk: Name | None = Field(None, description="Dial on this trunk.")
    called: Annotated[NumberTemplate | None, Remark('`"{called}"`')] = Field(
        None, description="With `trunk`: the number to dial."
    )
    user: NumberTemplate | None = Field(
        None, description="Ring the phones of this user of the route's tenant; `{called}` and groups can be used."
    )
    timeout: Annotated[RingTime | None, Remark(f"`{RING_S:g}`")] = Field(
        None, description="With `trunk` or `user`: seconds of ringing before the next."
    )
    conference: NumberTemplate | None = Field(
        None, description="Answer and join this conference of the route's tenant; `{called}` and groups can be used."
    )
    echo: Literal[True] | None = Field(None, description="Answer and send back what is heard.")
    play: Label | None = Field(None, description="Answer, play this sound file, hang up.")
    reject: Annotated[Whole, Field(ge=400, le=699), Words("400 to 699")] | None = Field(
        None, description="Refuse with this SIP status."
    )
    priority: Whole | None = Field(
        None, ge=0, le=65535, description="Lower ones first. All of a route have one or none."
    )
    weight: Whole | None = Field(
        None, ge=0, le=65535, description="Share of the calls among the same priority; 0 comes last."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "DestinationTable":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            said = f"has {' and '.join(kinds)}" if kinds else "has none"
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}, and {said}")
        if self.trunk is None and self.called is not None:
            raise ValueError("called goes with trunk only")
        if self.trunk is None and self.user is None and self.timeout is not None:
            raise ValueError("timeout goes with trunk and user only")
        return self


class ConferenceTable(Table):
    """A conference with a manner of its own; those without a table have the defaults."""

    name: Name = Field(description="Its name, as `conference` of a destination makes it. Unique in its tenant.")
    tenant: Name = Field(description="Whose it is.")
    max_members: Annotated[Whole, Field(ge=2, le=1000), Words("2 to 1000")] = Field(
        200, description="Legs at once; the next are refused."
    )
    muted_on_join: Yes = Field(False, description="Whoever comes is heard only after `conference.unmute`.")
    join_sound: Annotated[Label | None, Remark("a beep")] = Field(
        None, description="Sound file that everybody hears when somebody comes."
    )
    leave_sound: Annotated[Label | None, Remark("a beep")] = Field(None, description="The same when somebody has gone.")
    silent: Yes = Field(False, description="No sounds when somebody comes or goes.")
    speakers: Yes = Field(False, description="Events tell who speaks. Two members are mixed then, too.")


class RouteTable(Table):
    """Where calls go. Routes are tried in file order; all filters of one must hold."""

    name: Name = Field(description="Name of the route.")
    tenant: Annotated[Name | None, Remark("that of `from_trunk`")] = Field(None, description="Whose route it is.")
    from_trunk: Name | None = Field(None, description="Only calls from this trunk. Calls between trunks need it.")
    called: FullMatch | None = Field(None, description="Only calls to such numbers.")
    caller: FullMatch | None = Field(None, description="Only calls from such numbers.")
    hours: tuple[OpenHours, ...] = Field((), description="Only at these times; any of them is enough.")
    custom: Annotated[dict[CustomName, Label], Words("table of texts")] = Field(
        default_factory=dict, max_length=32, description="Put on its calls: in events, `call.get` and call records."
    )
    destinations: tuple[DestinationTable, ...] = Field(min_length=1, max_length=32, description="Where calls go.")


class Config(Table):
    """A whole configuration."""

    engine: EngineTable = Field(default_factory=EngineTable)
    control: ControlTable = Field(default_factory=ControlTable)
    metrics: MetricsTable | None = None
    trace: TraceTable = Field(default_factory=TraceTable)
    sip: SipTable = Field(default_factory=SipTable)
    rtp: RtpTable = Field(default_factory=RtpTable)
    interface: tuple[InterfaceTable, ...] = ()
    tenant: tuple[TenantTable, ...] = ()
    trunk: tuple[TrunkTable, ...] = ()
    user: tuple[UserTable, ...] = ()
    number: tuple[NumberTable, ...] = ()
    conference: tuple[ConferenceTable, ...] = ()
    route: tuple[RouteTable, ...] = ()

    _source: str = PrivateAttr(default="")
    _warnings: tuple[Problem, ...] = PrivateAttr(default=())

    @cached_property
    def interfaces(self) -> Mapping[str, InterfaceTable]:
        """All networks by name; the one of [sip] and [rtp] is `default`, and is there if it listens anywhere."""
        found = {one.name: one for one in self.interface}
        if self.sip.listen:
            found[DEFAULT_INTERFACE] = InterfaceTable(
                name=DEFAULT_INTERFACE,
                sip=self.sip.listen,
                rtp=self.rtp.address,
                advertise=self.sip.advertise,
                local_net=self.sip.local_net,
            )
        return found

    def interface_of(self, trunk: TrunkTable | UserTable) -> InterfaceTable:
        """The network a trunk or user is reached by: the one it names, else the default one, else the only one."""
        if trunk.interface is not None:
            return self.interfaces[trunk.interface]
        return self.interfaces.get(DEFAULT_INTERFACE) or self.interfaces[self.interface[0].name]

    @property
    def source(self) -> str:
        """Where it was read from: a file name, or words for the embedded defaults."""
        return self._source

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed but probably not meant."""
        return self._warnings

    def remember(self, source: str, warnings: tuple[Problem, ...]) -> None:
        """Called once, by the reader."""
        self._source, self._warnings = source, warnings

    @cached_property
    def trunks(self) -> Mapping[str, TrunkTable]:
        return {one.name: one for one in self.trunk}

    @cached_property
    def tenants(self) -> Mapping[str, TenantTable]:
        return {one.name: one for one in self.tenant}


TABLES: Final[Mapping[str, type[Table]]] = {  # every table by its name in the file, in the order of the reference page
    "": Config,
    "engine": EngineTable,
    "control": ControlTable,
    "control.token": Token,
    "metrics": MetricsTable,
    "trace": TraceTable,
    "sip": SipTable,
    "rtp": RtpTable,
    "interface": InterfaceTable,
    "tenant": TenantTable,
    "trunk": TrunkTable,
    "trunk.targets": TargetTable,
    "trunk.header": HeaderTable,
    "user": UserTable,
    "number": NumberTable,
    "conference": ConferenceTable,
    "route": RouteTable,
    "route.destinations": DestinationTable,
}
