"""Who a client is and what it may do. Scopes are checked in `require`, and nowhere else."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from santral.engine.control.protocol import RequestError

Scope = Literal["read", "events", "calls", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "events", "calls", "admin")  # `admin` includes the others


@dataclass(frozen=True, slots=True)
class Token:
    """Who may log in over TCP. `tenant` is None only with scope `admin`."""

    name: str
    secret: str
    scopes: frozenset[str]
    tenant: str | None = None

    def __post_init__(self) -> None:
        if self.tenant is None and "admin" not in self.scopes:
            raise ValueError(f"control token {self.name!r} needs a tenant (only scope admin may see all)")
        if unknown := self.scopes - set(SCOPES):
            raise ValueError(f"control token {self.name!r}: unknown scopes {sorted(unknown)}")
        if not self.secret:
            raise ValueError(f"control token {self.name!r} has no secret")

    def __repr__(self) -> str:
        return f"Token({self.name!r}, ***, {sorted(self.scopes)}, tenant={self.tenant!r})"


@dataclass(frozen=True, slots=True)
class Identity:
    """A client that was let in. `tenant` None sees every tenant."""

    name: str
    scopes: frozenset[str]
    tenant: str | None = None

    def sees(self, tenant: str | None) -> bool:
        """Tell whether things of `tenant` (None: of the node itself) may be shown to this client."""
        return self.tenant is None or self.tenant == tenant

    @property
    def may_unmask(self) -> bool:
        """Tell whether callers who hide may be shown to this client: to whoever runs the node, and to nobody else."""
        return self.tenant is None and "admin" in self.scopes


LOCAL: Final = Identity("local", frozenset({"admin"}))  # whoever can open the Unix socket


def require(who: Identity | None, scope: Scope | None) -> None:
    """Refuse a client that lacks `scope`; None asks for nothing, not even a login."""
    if scope is None:
        return
    if who is None:
        raise RequestError("login_required", "log in first: engine.login {name, secret}")
    if scope not in who.scopes and "admin" not in who.scopes:
        raise RequestError("forbidden", f"this needs scope {scope}", {"scope": scope})


def tenant_for(who: Identity, asked: str | None) -> str | None:
    """Return whose things to show when a client asks for those of `asked` (None: all it may see)."""
    if who.tenant is not None and asked not in {None, who.tenant}:
        raise RequestError("forbidden", f"this client belongs to tenant {who.tenant}", {"tenant": asked})
    return who.tenant or asked


def identify(tokens: Iterable[Token], name: str, secret: str) -> Identity | None:
    """Find the token with this name and secret; takes as long for an unknown name as for a wrong secret."""
    found: Token | None = None
    for token in tokens:
        if hmac.compare_digest(token.name.encode(), name.encode()):
            found = token
    expected = digest(found.secret if found else "")
    if hmac.compare_digest(expected, digest(secret)) and found:
        return Identity(found.name, found.scopes, found.tenant)
    return None


def digest(secret: str) -> bytes:
    """Return `secret` at a fixed length, so that comparing does not tell how long the right one is."""
    return hashlib.sha256(secret.encode()).digest()
