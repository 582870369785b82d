"""Where a call may go on to, when one of its parties names a place: decided as if that party called there itself.

A REFER or a redirect reaches nothing that its sender could not dial, shows no number that its sender could not show,
and counts against the same limits.
"""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

from santral.engine.calls.leg import Leg, Party
from santral.engine.config.convert import home_numbering
from santral.routing.plan import FORBIDDEN, Attempt, CallFacts, DialAddress, DialTrunk, DialUser, Plan
from santral.routing.screening import objection
from santral.sip.identity.tel import number_of
from santral.sip.uri import Uri

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.world import Services, World


def tenant_of(world: "World", party: Party) -> str:
    """Whose trunk or user it is."""
    return world.users[party.user].tenant if party.user else world.trunks[party.trunk].tenant


def plan_for(call: "Call", leg: Leg, uri: Uri) -> Plan:
    """The plan of a call to this URI that the party of this leg asks for: to a number, or to an address."""
    if is_known_host(call, leg, uri):
        return plan_as(call, leg, number_of(uri))
    world, tenant = call.world, tenant_of(call.world, leg.party)
    is_address = uri.scheme in ("sip", "sips") and bool(world.config.sip.dial_networks) and bool(uri.user_decoded)
    is_open = world.may_reach(uri.host) if _is_literal(uri.host) else uri.host.lower() not in world.gateways
    if not is_address or not is_open:
        return Plan(None, tenant, (), (f"{uri.host[:64]}: outside sip.dial_networks, or a trunk's",), FORBIDDEN)
    refusal = _objection(call, leg.party, number_of(uri))
    if refusal is not None:
        return Plan(None, tenant, (), (f"{uri.user_decoded[:64]} is {refusal}",), FORBIDDEN)
    target = Uri(uri.scheme, host=uri.host, port=uri.port, params=tuple(p for p in uri.params if p[0] == "transport"))
    why = f"address {uri.host}, named by {leg.party.trunk or leg.party.user}"
    return Plan(None, tenant, (DialAddress(uri.user_decoded, str(target), leg.party.interface, why=why),), ())


def _objection(call: "Call", party: Party, called: str) -> str | None:
    """Why a user may not have this number called, wherever it is; None for all others, and for names."""
    user, number = call.world.table.users.get(party.user), party.policy.numbering.read(called)
    tenant = None if user is None else call.world.table.tenants.get(user.tenant)
    return None if user is None else objection(number, tenant.country if tenant else None, user.rights)


def _is_literal(host: str) -> bool:
    """An IP address; a name is looked up first, and each of its addresses judged."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def plan_as(call: "Call", leg: Leg, called: str) -> Plan:
    """The plan of a call that the party of this leg makes to the number, as it writes numbers.

    A user's calls show a number of the tenant or none (rule 38), whoever else is in the call.
    """
    party, who = leg.party, leg.presented
    facts = CallFacts(
        trunk=party.trunk,
        tenant=tenant_of(call.world, party),
        caller=who.number,
        called=party.policy.numbering.read(called),
        at=datetime.now(UTC),
        user=party.user,
    )
    decided = call.services.decide(call.world, facts)
    if not party.user:
        return decided
    shown = "" if who.is_hidden else None
    return replace(decided, attempts=tuple(_owned(one, shown, who.number) for one in decided.attempts))


def plan_of_tenant(services: "Services", world: "World", tenant: str, caller: str, called: str) -> Plan:
    """The plan of a call made by command: with the rights of the tenant, showing numbers of its own only."""
    written = home_numbering(world.config.tenants[tenant].country).read(called)
    facts = CallFacts("", tenant, caller, written, datetime.now(UTC), is_own=True)
    decided = services.decide(world, facts)
    return replace(decided, attempts=tuple(_owned(one, None, caller) for one in decided.attempts))


def _owned(attempt: Attempt, shown: str | None, number: str) -> Attempt:
    """The same, with the number it shows said outright: the caller's own is that of somebody else here."""
    if not isinstance(attempt, DialTrunk):
        return attempt
    caller = attempt.caller if attempt.caller is not None else number
    return replace(attempt, caller=caller if shown is None else shown)


def is_of(attempt: Attempt, party: Party) -> bool:
    """Whether this attempt goes to that party itself."""
    match attempt:
        case DialTrunk():
            return attempt.trunk == party.trunk
        case DialUser():
            return attempt.user == party.user
    return False


def is_known_host(call: "Call", leg: Leg, uri: Uri) -> bool:
    """Whether the user part of this URI is a number to be routed: the host is one of ours, or of the peer that says it.

    What its peer calls itself and us in the dialog counts, too: a number at that host is what it would have dialled.
    """
    if uri.scheme == "tel":
        return True
    host, session = uri.host.lower(), leg.session
    if host in call.world.hosts or any(host == Uri.parse(one).host.lower() for one in _targets(call, leg.party)):
        return True
    if session is None:
        return False
    named = (session.last_source.host, session.request.from_.uri.host, session.request.to.uri.host)
    return host.strip("[]") in {one.lower().strip("[]") for one in named}


def _targets(call: "Call", party: Party) -> tuple[str, ...]:
    return tuple(one.uri for one in call.world.table.trunks[party.trunk].targets) if party.trunk else ()
