"""What one side of a call is believed and told: the keys of its trunk, as a value."""

from dataclasses import dataclass
from typing import Final, Literal

from santral.engine.calls.crossing.rules import HeaderRule
from santral.routing.numbering import AS_IT_IS, Numbering

IdentityHeader = Literal["none", "pai", "ppi", "rpid"]
DiversionHeader = Literal["none", "diversion", "history-info"]
SessionIdUse = Literal["none", "own", "pass"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One trunk (or user). `host` stands in From and in every identity we write for it: ours, never the other side's.

    `trust` is RFC 3325's trust domain: what it asserts is believed, and callers who hide are named to it.
    """

    host: str = "localhost"
    numbering: Numbering = AS_IT_IS
    trust: bool = False
    identity: IdentityHeader = "none"
    caller_name: bool = True
    user_phone: bool = False
    diversion: DiversionHeader = "none"
    user_to_user: bool = False
    session_id: SessionIdUse = "none"
    rules: tuple[HeaderRule, ...] = ()
    x_headers: tuple[str, ...] = ()


STRANGER: Final = Policy()
