"""What the other side is told of a caller, and the caller of who answered. Builds values; sends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

from santral.engine.calls.crossing.incoming import ANONYMOUS, ANONYMOUS_HOST, Presented, presented, read
from santral.engine.calls.crossing.policy import Policy
from santral.engine.calls.crossing.rules import Lines, outgoing
from santral.routing.numbering import is_e164
from santral.sip.identity.asserted import RemoteParty
from santral.sip.identity.correlation import NIL, SessionId
from santral.sip.identity.early_media import EarlyMedia
from santral.sip.identity.redirection import Diverted, as_diversion, as_history, check_loop
from santral.sip.message import Request, Response
from santral.sip.uri import NameAddr, Uri, escape_user

NOBODY: Final = NameAddr("Anonymous", Uri(user=ANONYMOUS, host=ANONYMOUS_HOST))  # RFC 3323 section 4.1.1.3
PHONE: Final = (("user", "phone"),)
SESSIONS: Final = UUID("6f0c9d4e-1c7e-5d0b-9a35-0d5f2c2a7b11")  # name space of our halves of Session-ID


@dataclass(frozen=True, slots=True)
class Outbound:
    """Where an INVITE goes. `called` is written as the trunk wants it, `target` its URI without a user part.

    `caller` is the number that has to be shown instead of the caller's ("" for none at all): it is known to be owned.
    `caller_name` is the name of the number that is shown, where it is one of ours.
    """

    called: str
    target: Uri
    call: str = ""
    tenant: str = ""
    trunk: str = ""
    caller: str | None = None
    caller_name: str = ""
    diverted: tuple[Diverted, ...] = ()  # by us, on the way to here: newest first


@dataclass(frozen=True, slots=True)
class Crossing:
    """An INVITE's names and headers, beside those the stack makes for the leg."""

    uri: Uri
    from_: NameAddr
    to: NameAddr
    headers: Lines = ()


def invite(caller: Presented, out: Outbound, policy: Policy) -> Crossing:
    """The INVITE that tells this caller to a side with this policy. Raises LoopDetected if we divert once too often."""
    if out.caller is not None:
        caller = replace(
            caller, real=out.caller, shown=out.caller, is_hidden=caller.is_hidden or not out.caller, is_asserted=True
        )
    if out.diverted:
        check_loop(diversions := (*out.diverted, *caller.diversions))
        caller = replace(caller, diversions=diversions)
    called = Uri(out.target.scheme, escape_user(out.called), host=out.target.host, port=out.target.port)
    phone = PHONE if policy.user_phone and is_e164(policy.numbering.read(out.called)) else ()
    to = NameAddr("", called.with_(params=phone) if phone else called)
    lines = [*_identity(caller, out, policy), *_diversion(caller.diversions, to.uri, policy)]
    if policy.user_to_user:
        lines += [("User-to-User", str(value)) for value in caller.user_to_user]
    if policy.session_id != "none":
        local = caller.session_id if policy.session_id == "pass" and caller.session_id else own_session(out.call)
        lines.append(("Session-ID", str(SessionId(local, NIL))))
    headers: Lines = tuple(lines)
    if policy.rules:
        headers = outgoing(policy.rules, lines, caller.headers, _values(caller, out, policy))
    params = (*out.target.params, *phone)
    uri = called.with_(params=params) if params else called
    return Crossing(uri, _from(caller, out, policy), to, headers)


def connected(response: Response | None, answering: Policy, caller: Policy, call: str = "") -> Lines:
    """The headers of a 18x or 2xx to the caller: who is reached (RFC 3325 in responses), and the applications' data.

    `response` is None where nobody else answers, or nothing of it may cross.
    """
    lines: list[tuple[str, str]] = []
    if response is not None and answering.trust and caller.identity in ("pai", "rpid"):
        who = presented(_as_request(response), replace(answering, rules=(), x_headers=()), party="called")
        if who.is_asserted and who.real and (caller.trust or not who.is_hidden):
            address = _address(who.real, who.name if caller.caller_name else "", caller)
            if caller.identity == "pai":
                lines.append(("P-Asserted-Identity", str(address)))
            else:
                hidden = "full" if who.is_hidden else "off"
                lines.append(("Remote-Party-ID", str(RemoteParty(address, "called", hidden, "yes"))))
        if who.is_hidden:
            lines.append(("Privacy", "id"))
    if response is not None and caller.user_to_user:
        lines += user_to_user(response, answering)
    if caller.session_id != "none":
        passes = response is not None and answering.session_id == caller.session_id == "pass"
        text = response.headers.get("Session-ID") if response is not None and passes else None
        value = read(lambda: SessionId.parse(text)) if text else None
        lines.append(("Session-ID", str(SessionId(value.local if value else own_session(call), None))))
    return tuple(lines)


def user_to_user(message: Request | Response, from_: Policy) -> Lines:
    """User-to-User of any message of a side that takes part in it (RFC 7433)."""
    if not from_.user_to_user or "User-to-User" not in message.headers:
        return ()
    who = presented(_as_request(message), Policy(user_to_user=True))
    return tuple(("User-to-User", str(value)) for value in who.user_to_user)


def early_media(message: Request | Response, policy: Policy) -> EarlyMedia | None:
    """P-Early-Media of a trusted side (RFC 5009 section 8); None from all others."""
    text = message.headers.get("P-Early-Media") if policy.trust else None
    return read(lambda: EarlyMedia.parse(text)) if text else None


def own_session(call: str) -> str:
    """Our half of Session-ID: the same for all legs of one call, and nothing can be read from it."""
    return uuid5(SESSIONS, call).hex


def _as_request(message: Request | Response) -> Request:
    """The message's headers as those of a request: From is nobody's business in an answer."""
    if isinstance(message, Request):
        return message
    headers = message.headers.copy()
    headers.set("From", "<sip:unknown.invalid>")
    return Request("INVITE", Uri(host="unknown.invalid"), headers)


def _from(caller: Presented, out: Outbound, policy: Policy) -> NameAddr:
    if caller.is_hidden or not caller.shown:
        return NOBODY
    return _address(caller.shown, _name(caller, out, policy), policy)


def _name(caller: Presented, out: Outbound, policy: Policy) -> str:
    return (out.caller_name or caller.name) if policy.caller_name else ""


def _address(number: str, name: str, policy: Policy) -> NameAddr:
    """A number as this side writes it, at our own host."""
    phone = PHONE if policy.user_phone and is_e164(number) else ()
    return NameAddr(name, Uri(user=escape_user(policy.numbering.write(number)), host=policy.host, params=phone))


def _identity(caller: Presented, out: Outbound, policy: Policy) -> Lines:
    """The header that says who calls. A hidden number goes to trusted sides only, an unsure one is never asserted."""
    hidden: Lines = (("Privacy", "id"),) if caller.is_hidden else ()
    is_known = caller.real not in ("", ANONYMOUS)
    if policy.identity == "none" or not is_known or (caller.is_hidden and not policy.trust):
        return hidden
    address = _address(caller.real, _name(caller, out, policy), policy)
    match policy.identity:
        case "pai":
            return (("P-Asserted-Identity", str(address)), *hidden) if caller.is_asserted else hidden
        case "ppi":
            return (("P-Preferred-Identity", str(address)), *hidden)
        case _:
            privacy, screen = "full" if caller.is_hidden else "off", "yes" if caller.is_asserted else "no"
            return (("Remote-Party-ID", str(RemoteParty(address, "calling", privacy, screen))), *hidden)


def _diversion(found: Sequence[Diverted], target: Uri, policy: Policy) -> Lines:
    """By whom the call was diverted, with our host and without the names of those who hide from this side."""
    if policy.diversion == "none" or not found:
        return ()
    told = [
        replace(one, address=NOBODY)
        if one.is_hidden and not policy.trust
        else replace(
            one,
            address=_address(one.address.uri.user or "", one.address.display if policy.caller_name else "", policy),
            reason=one.reason if one.reason.isprintable() else "unknown",
        )
        for one in found
    ]
    if policy.diversion == "diversion":
        return tuple(("Diversion", str(value)) for value in as_diversion(told))
    return tuple(("History-Info", str(value)) for value in as_history(told, target))


def _values(caller: Presented, out: Outbound, policy: Policy) -> dict[str, str]:
    """What templates of rules can say. A hidden caller is `anonymous` to sides that are not trusted."""
    number = caller.real if policy.trust or not caller.is_hidden else ANONYMOUS
    name = "" if caller.is_hidden and not policy.trust else _name(caller, out, policy)
    return {
        "caller": policy.numbering.write(number),
        "called": out.called,
        "caller_name": name,
        "tenant": out.tenant,
        "trunk": out.trunk,
        "call": out.call,
    }
