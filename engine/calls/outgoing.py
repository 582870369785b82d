"""The INVITE of a callee's leg: what the called trunk sees of the caller, and nothing of the caller's side else.

Options, dialog headers and addresses are computed for this leg (never copied); Max-Forwards crosses decremented.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from santral.engine.calls import crossing
from santral.engine.calls.crossing import Outbound
from santral.engine.calls.leg import HeaderLines, Leg
from santral.sip.events import Hop
from santral.sip.uri import format_host

if TYPE_CHECKING:
    from santral.engine.signalling import Signalling


@dataclass(frozen=True, slots=True)
class Invite:
    """All that goes into one INVITE."""

    caller: Leg
    leg: Leg
    out: Outbound
    offer: bytes


def text_of(hop: Hop) -> str:
    """Where a leg goes to or comes from, for people: `udp:192.0.2.1:5060`, `tcp:[2001:db8::1]:5060`."""
    return f"{hop.transport}:{format_host(hop.host)}:{hop.port}"


def send(invite: Invite, hop: Hop, signalling: "Signalling") -> None:
    """Start the session of `invite.leg` towards `hop`."""
    made = crossing.invite(invite.caller.presented, invite.out, invite.leg.party.policy)
    session, actions = signalling.agent.invite(
        hop=hop,
        uri=made.uri,
        from_=made.from_,
        to=made.to,
        headers=(*invite.leg.options, *_early_media(invite.leg), *made.headers),
        body=invite.offer,
        max_forwards=invite.caller.max_forwards - 1,
        session_timer=invite.leg.party.session_timer,
        now=signalling.now(),
    )
    invite.leg.attach(session, text_of(hop))
    if signalling.tap is not None:
        hidden = invite.caller.presented.hidden
        signalling.tap.adopt(session.call_id, invite.out.call, invite.leg.id, invite.out.tenant, hidden)
    signalling.perform(actions)


def _early_media(leg: Leg) -> HeaderLines:
    """A trusted side may say whether what it sends before the answer is to be heard (RFC 5009 section 5)."""
    return (("P-Early-Media", "supported"),) if leg.party.policy.trust else ()
