"""Who calls, as far as the side it came from is believed. Reads one INVITE; what is broken in it is left out.

An identity that cannot be read is no reason to refuse a call: it is as if it were not there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeVar

from santral.engine.calls.crossing.policy import Policy
from santral.engine.calls.crossing.rules import incoming as apply_rules
from santral.sip.errors import LoopDetected, RemoteError
from santral.sip.headers import Headers, Reason
from santral.sip.identity.asserted import Privacy, identities, remote_parties
from santral.sip.identity.correlation import SessionId, UserToUser
from santral.sip.identity.redirection import Diverted, check_loop, diversions
from santral.sip.identity.tel import number_of
from santral.sip.message import Request, Response
from santral.sip.reasons import PHRASES
from santral.sip.uri import NameAddr, Uri

ANONYMOUS: Final = "anonymous"  # RFC 3323 section 4.1.1.3
ANONYMOUS_HOST: Final = "anonymous.invalid"
RESTRICTED: Final = frozenset({ANONYMOUS, "restricted"})
HIDDEN: Final = Privacy(("id",))
MAX_REASONS: Final = 4  # Reason values that cross
MAX_USER_TO_USERS: Final = 4
MAX_X_VALUE: Final = 256  # characters of a chosen header that are kept
MAX_DISPLAY: Final = 128  # characters of a caller's name
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
ELSEWHERE: Final = 200  # SIP cause of a CANCEL: somebody else answered (RFC 3326 section 2)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Presented:
    """The caller. `number` is for plans, events and records; `real` for trusted sides only, when the caller hides.

    Numbers are in their normal form; what is no number is the user part as it came.
    """

    number: str = ""
    real: str = field(default="", repr=False)
    shown: str = field(default="", repr=False)  # what the caller wants the other side to see as its number
    name: str = field(default="", repr=False)
    is_hidden: bool = False
    is_asserted: bool = False  # the side it came from vouches for `real`
    diversions: tuple[Diverted, ...] = ()
    user_to_user: tuple[UserToUser, ...] = ()
    session_id: str | None = None
    x_headers: Mapping[str, str] = field(default_factory=dict)
    headers: Headers | None = field(default=None, repr=False)  # of its INVITE, after the rules

    @property
    def hidden(self) -> tuple[str, ...]:
        """Names and numbers that nobody may read who is not trusted."""
        if not self.is_hidden:
            return ()
        return tuple(text for text in (self.real, self.shown, self.name) if text.lower() not in RESTRICTED)


def presented(
    request: Request, policy: Policy, values: Mapping[str, str] = NOTHING, party: str = "calling"
) -> Presented:
    """Read the caller of an INVITE. `values` are for templates of `in` rules. Raises LoopDetected.

    `party` is whom a Remote-Party-ID has to be about.
    """
    headers = apply_rules(policy.rules, request.headers, values) if policy.rules else request.headers
    from_ = request.from_
    asserted, name, is_asserted, hides = _asserted(headers, party) if policy.trust else (None, "", False, False)
    privacy = _privacy(headers)
    is_none = privacy is not None and "none" in privacy.values
    is_hidden = _is_anonymous(from_) or (not is_none and (hides or (privacy is not None and privacy.hides_caller)))
    written = number_of(from_.uri)
    shown = policy.numbering.read(written)
    real = shown if asserted is None else policy.numbering.read(asserted)
    if asserted is not None and (_is_anonymous(from_) or not shown):
        shown = real
    if asserted is None and _is_anonymous(from_):
        real = ANONYMOUS
    return Presented(
        number=ANONYMOUS if is_hidden else real,
        real=real,
        shown=shown,
        name=("" if _is_anonymous(from_) else _printable(from_.display)) or name,
        is_hidden=is_hidden,
        is_asserted=is_asserted,
        diversions=_diversions(headers, policy, hides_all=privacy is not None and privacy.hides_diversions),
        user_to_user=_user_to_user(headers) if policy.user_to_user else (),
        session_id=_session_id(headers) if policy.session_id == "pass" else None,
        x_headers=_chosen(headers, policy) if policy.x_headers else NOTHING,
        headers=headers,
    )


def reasons(message: Request | Response) -> tuple[str, ...]:
    """The Reason values that may cross: protocol and cause, for SIP with the words everybody knows (RFC 3326).

    The peer's own text stays on its side: it may name its machines.
    """
    found = []
    for text in _lines(lambda: message.headers.values("Reason"))[:MAX_REASONS]:
        value = read(lambda text=text: Reason.parse(text))  # type: ignore[misc]  # mypy knows no default of a lambda
        if value is None or value.cause is None:
            continue
        if value.protocol.upper() == "Q.850":
            words = ""
        elif value.protocol.upper() == "SIP":
            words = "Call completed elsewhere" if value.cause == ELSEWHERE else PHRASES.get(value.cause, "")
        else:
            continue
        found.append(str(replace(value, protocol=value.protocol.upper(), text=words, params=())))
    return tuple(found)


def read(parse: Callable[[], T]) -> T | None:
    """What `parse` makes of the peer's text; None where it cannot be read."""
    try:
        return parse()
    except LoopDetected:
        raise
    except RemoteError:
        return None


def _lines(parse: Callable[[], list[str]]) -> list[str]:
    return read(parse) or []


def _asserted(headers: Headers, party_wanted: str) -> tuple[str | None, str, bool, bool]:
    """Number, name, whether it is vouched for, whether it hides: as a trusted side says by whichever header."""
    for header, is_asserted in (("P-Asserted-Identity", True), ("P-Preferred-Identity", False)):
        if header in headers:
            found = read(lambda name=header: identities(headers, name)) or ()  # type: ignore[misc]
            number = next((text for one in found if (text := number_of(one.uri))), None)
            if number is not None:
                return number, next((_printable(one.display) for one in found if one.display), ""), is_asserted, False
    if "Remote-Party-ID" in headers:
        for party in read(lambda: remote_parties(headers)) or ():
            if party.party == party_wanted:
                return (
                    number_of(party.address.uri) or None,
                    _printable(party.address.display),
                    party.is_screened,
                    party.hides_caller,
                )
    return None, "", False, False


def _privacy(headers: Headers) -> Privacy | None:
    """What the caller wants hidden; a wish that cannot be read is taken for the usual one, not for none."""
    lines = [line for line in headers.all("Privacy") if line.strip(" \t;,")]
    return read(lambda: Privacy.parse(";".join(lines))) or HIDDEN if lines else None


def _is_anonymous(from_: NameAddr) -> bool:
    return from_.uri.host == ANONYMOUS_HOST or (from_.uri.user or "").lower() in RESTRICTED


def _diversions(headers: Headers, policy: Policy, *, hides_all: bool) -> tuple[Diverted, ...]:
    """The diversions so far, in normal numbers; a loop is one whoever tells it, names are believed of trusted sides."""
    if "Diversion" not in headers and "History-Info" not in headers:
        return ()
    found = read(lambda: diversions(headers)) or ()
    check_loop(found)
    if not policy.trust:
        return ()
    return tuple(
        replace(
            one,
            address=NameAddr(_printable(one.address.display), Uri(user=policy.numbering.read(number))),
            is_hidden=one.is_hidden or hides_all,
        )
        for one in found
        if (number := number_of(one.address.uri))
    )


def diverted(headers: Headers, policy: Policy) -> tuple[Diverted, ...]:
    """The diversions that a redirect tells, of a side that is believed; empty from others. Raises LoopDetected."""
    privacy = _privacy(headers)
    return _diversions(headers, policy, hides_all=privacy is not None and privacy.hides_diversions)


def _user_to_user(headers: Headers) -> tuple[UserToUser, ...]:
    found = (
        read(lambda text=text: UserToUser.parse(text))  # type: ignore[misc]
        for text in _lines(lambda: headers.values("User-to-User"))[:MAX_USER_TO_USERS]
    )
    return tuple(one for one in found if one is not None)


def _session_id(headers: Headers) -> str | None:
    text = headers.get("Session-ID")
    value = read(lambda: SessionId.parse(text)) if text else None
    return None if value is None else value.local


def _chosen(headers: Headers, policy: Policy) -> Mapping[str, str]:
    """The headers that the trunk's `x_headers` names, by the name of the configuration."""
    found = ((name, headers.get(name)) for name in policy.x_headers)
    return {name: value[:MAX_X_VALUE] for name, value in found if value and value.isprintable()}


def _printable(text: str) -> str:
    return text[:MAX_DISPLAY] if text.isprintable() else ""
