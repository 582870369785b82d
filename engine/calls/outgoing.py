"""The INVITE of a callee's leg: what the called trunk sees of the caller, and nothing of the caller's side else.

Options, dialog headers and addresses are computed for this leg (never copied); Max-Forwards crosses decremented.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from santral.engine.calls.leg import Leg
from santral.sip.events import Hop
from santral.sip.uri import NameAddr, Uri, escape_user, format_host

if TYPE_CHECKING:
    from santral.engine.signalling import Signalling
    from santral.engine.world import TrunkSide

ANONYMOUS: Final = "anonymous"  # RFC 3323 4.1.1.3, for a caller without a user part


@dataclass(frozen=True, slots=True)
class Invite:
    """All that goes into one INVITE."""

    side: "TrunkSide"
    called: str
    caller_number: str
    caller: Leg
    leg: Leg
    offer: bytes


def text_of(hop: Hop) -> str:
    """Where a leg goes to or comes from, for people: `udp:192.0.2.1:5060`, `tcp:[2001:db8::1]:5060`."""
    return f"{hop.transport}:{format_host(hop.host)}:{hop.port}"


def send(invite: Invite, hop: Hop, signalling: "Signalling") -> None:
    """Start the session of `invite.leg` towards `hop`."""
    target = Uri.parse(invite.leg.target).with_(user=escape_user(invite.called))
    session, actions = signalling.agent.invite(
        hop=hop,
        uri=target,
        from_=NameAddr(
            invite.caller.display_name,
            Uri(user=escape_user(invite.caller_number or ANONYMOUS), host=invite.side.from_host),
        ),
        to=NameAddr("", target.with_(params=())),
        body=invite.offer,
        max_forwards=invite.caller.max_forwards - 1,
        now=signalling.now(),
    )
    invite.leg.attach(session, text_of(hop))
    signalling.perform(actions)
