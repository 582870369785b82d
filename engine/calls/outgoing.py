"""The INVITE of a callee's leg: what the called trunk sees of the caller, and nothing of the caller's side else.

Options, dialog headers and addresses are computed for this leg (never copied); Max-Forwards crosses decremented.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from santral.engine.calls import crossing
from santral.engine.calls.crossing import Outbound
from santral.engine.calls.dialer import Contact
from santral.engine.calls.leg import HeaderLines, Leg
from santral.sip.events import Hop
from santral.sip.uri import NameAddr, Uri, escape_user, format_host

if TYPE_CHECKING:
    from santral.engine.world import Services


@dataclass(frozen=True, slots=True)
class Invite:
    """All that goes into one INVITE."""

    caller: Leg
    leg: Leg
    out: Outbound
    offer: bytes
    name: str  # of the trunk, or the address of record of the user
    contact: Contact | None = None  # the phone, where a user is called
    headers: HeaderLines = ()  # that this one carries beside those that cross


def text_of(hop: Hop) -> str:
    """Where a leg goes to or comes from, for people: `udp:192.0.2.1:5060`, `tcp:[2001:db8::1]:5060`."""
    return f"{hop.transport}:{format_host(hop.host)}:{hop.port}"


def send(invite: Invite, hop: Hop, services: "Services") -> None:
    """Start the session of `invite.leg` towards `hop`."""
    made = crossing.invite(invite.caller.presented, invite.out, invite.leg.party.policy)
    trunks, contact, signalling = services.trunks, invite.contact, services.signalling
    session, actions = signalling.agent.invite(
        hop=hop,
        uri=made.uri if contact is None else _address_of(contact, invite.out.called),
        from_=made.from_,
        to=made.to if contact is None else NameAddr("", Uri.parse(f"sip:{invite.name}")),
        headers=(*invite.leg.options, *_early_media(invite.leg), *made.headers, *invite.headers),
        body=invite.offer,
        max_forwards=invite.caller.max_forwards - 1,
        session_timer=invite.leg.party.session_timer,
        routes=trunks.service_routes(invite.name) if contact is None else contact.routes,
        account=trunks.account(invite.name) if contact is None else None,
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


def _address_of(contact: Contact, called: str) -> Uri:
    """A phone's contact as it registered it; at that of a block the number takes the place of `bnc` (RFC 6140 6.1)."""
    uri = Uri.parse(contact.uri)
    if not contact.is_block:
        return uri
    return uri.with_(user=escape_user(called), params=tuple(one for one in uri.params if one[0].lower() != "bnc"))
