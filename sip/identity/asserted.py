"""Who calls, as the network says it: P-Asserted- and P-Preferred-Identity (RFC 3325), Remote-Party-ID, Privacy (3323).

Remote-Party-ID never became an RFC (draft-ietf-sip-privacy-04); gateways still send it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from santral.sip.errors import Malformed
from santral.sip.headers import Headers, is_token
from santral.sip.uri import NameAddr, Params, find_param, unquote_string

__all__ = ["MAX_IDENTITIES", "Privacy", "RemoteParty", "identities", "remote_parties"]

MAX_IDENTITIES: Final = 2  # RFC 3325 section 9.1: one sip or sips URI, one tel URI
MAX_REMOTE_PARTIES: Final = 4  # calling, called and twice more
MAX_PRIV_VALUES: Final = 16

_HIDING: Final = frozenset({"id", "user"})  # RFC 3323 section 4.2, RFC 3325 section 9.3; the rest is not about the name
_RPID_HIDING: Final = frozenset({"full", "name", "uri"})


def identities(headers: Headers, name: str) -> tuple[NameAddr, ...]:
    """The values of P-Asserted-Identity or P-Preferred-Identity; raises Malformed for more than two."""
    found = headers.values(name)
    if len(found) > MAX_IDENTITIES:
        raise Malformed(f"{len(found)} values of {name}")
    return tuple(map(NameAddr.parse, found))


@dataclass(frozen=True, slots=True)
class Privacy:
    """What the caller wants hidden; lower case, in the order it came, each once."""

    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value, separated by semicolons (or commas, as some write it); raises Malformed."""
        parts = [part.strip(" \t").lower() for part in text.replace(",", ";").split(";")]
        if len(parts) > MAX_PRIV_VALUES or not all(map(is_token, parts)):
            raise Malformed(f"Privacy: {text[:40]!r}")
        return cls(tuple(dict.fromkeys(parts)))

    def __str__(self) -> str:
        return ";".join(self.values)

    @property
    def hides_caller(self) -> bool:
        """Whether nobody outside the trust domain may learn who calls. `none` overrules the rest (RFC 3323 4.2)."""
        return "none" not in self.values and not _HIDING.isdisjoint(self.values)

    @property
    def hides_diversions(self) -> bool:
        """Whether the history of the call is not to be shown (RFC 7044 section 10.1)."""
        return "history" in self.values


@dataclass(frozen=True, slots=True)
class RemoteParty:
    """One value of Remote-Party-ID. `privacy` and `screen` in lower case, "" when absent."""

    address: NameAddr
    party: str = "calling"
    privacy: str = ""
    screen: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value; raises Malformed."""
        address = NameAddr.parse(text)
        known = {name: unquote_string(find_param(address.params, name) or "").lower() for name in _RPID_PARAMS}
        if not all(value == "" or is_token(value) for value in known.values()):
            raise Malformed(f"Remote-Party-ID: {text[:40]!r}")
        others = tuple(pair for pair in address.params if pair[0].lower() not in _RPID_PARAMS)
        return cls(
            NameAddr(address.display, address.uri),
            known["party"] or "calling",
            known["privacy"],
            known["screen"],
            others,
        )

    def __str__(self) -> str:
        text = f"{self.address};party={self.party}"
        if self.privacy:
            text += f";privacy={self.privacy}"
        if self.screen:
            text += f";screen={self.screen}"
        return text + "".join(f";{name}" if value is None else f";{name}={value}" for name, value in self.params)

    @property
    def hides_caller(self) -> bool:
        return not _RPID_HIDING.isdisjoint(self.privacy.split("-"))

    @property
    def is_screened(self) -> bool:
        """Whether the network vouches for it."""
        return self.screen == "yes"


_RPID_PARAMS: Final = ("party", "privacy", "screen")


def remote_parties(headers: Headers) -> tuple[RemoteParty, ...]:
    """All Remote-Party-ID values; raises Malformed."""
    found = headers.values("Remote-Party-ID")
    if len(found) > MAX_REMOTE_PARTIES:
        raise Malformed(f"{len(found)} values of Remote-Party-ID")
    return tuple(map(RemoteParty.parse, found))
