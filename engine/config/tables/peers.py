"""Who calls and is called: trunks with their targets and header rules, and users."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from santral.engine.calls.crossing.rules import MAX_RULES, objection
from santral.engine.config.fields import (
    AcceptFrom,
    ConfigPath,
    Count,
    DialNumber,
    Domain,
    FullMatch,
    HeaderName,
    HeaderTemplate,
    Label,
    MinSessionTime,
    Name,
    Network,
    ProgressTime,
    Remark,
    Seconds,
    SessionTime,
    TryTime,
    Uri,
    UserName,
    Whole,
    Words,
    XHeaderName,
    Yes,
)
from santral.engine.config.tables.base import PRIVATE_KEY, Table
from santral.engine.config.tables.recording import RECORD, Record

Dtmf = Literal["auto", "rfc4733", "info", "inband"]


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
    record: Record | None = Field(None, description=RECORD)
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
    hold: Literal["pass", "music"] = Field(
        "pass",
        description="What hold by its phones does: it is passed on to the other side, or kept from it, which hears "
        "`hold-music.wav` of its tenant's sounds (or the embedded one) meanwhile.",
    )
    transfer: Literal["refuse", "local"] = Field(
        "local",
        description="What becomes of a REFER from its phones (transfer): it is refused, or carried out here, as a call "
        "from it to the new place would be: same routes, rights and limits.",
    )
