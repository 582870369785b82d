"""Calls moved and made by command: screened and shown as the tenant's own (rule 38)."""

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from santral.engine.calls import onward
from santral.engine.calls.actions.moving import Joining
from santral.engine.calls.actions.transferring import Transfer
from santral.engine.calls.crossing import Presented
from santral.engine.calls.crossing.incoming import ANONYMOUS
from santral.engine.calls.joins import Lent
from santral.engine.calls.leg import Leg, Role
from santral.engine.calls.table import Input, State
from santral.routing.plan import FORBIDDEN, DialAddress, DialTrunk, DialUser, Plan

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

Side = Literal["caller", "callee"]
ROLES: Final[dict[Side, Role]] = {"caller": Role.CALLER, "callee": Role.CALLEE}
NOBODY: Final = Presented(number=ANONYMOUS, is_hidden=True)


class Unable(Exception):  # noqa: N818 - it is told to clients as what it is, not as an error of ours
    """What was asked for cannot be done now, or may not be; `code` for programs, the text for people."""

    def __init__(
        self, code: Literal["bad_state", "unavailable", "forbidden", "not_found"], text: str, why: tuple[str, ...] = ()
    ):
        super().__init__(text)
        self.code, self.why = code, why


def transfer(call: "Call", to: str, keep: Side, by: str) -> None:
    """Connect the kept leg with a number instead; the other one leaves when that answers. Raises Unable."""
    stays = _leg(call, keep)
    plan = onward.plan_of_tenant(call.services, call.world, call.tenant, _number(stays), to)
    if not plan.attempts:
        raise Unable("forbidden" if plan.refusal == FORBIDDEN else "not_found", "nowhere to go", plan.why)
    leaver = next((leg for leg in call.roles.values() if leg is not stays), None)
    if leaver is None and isinstance(call.join, Lent):
        leaver = call.join.lent
    call.post(Input.TRANSFER, Transfer(stays, leaver, to, plan, by))


class Joined(NamedTuple):
    """One leg of a call."""

    call: "Call"
    side: Side


def join(one: Joined, other: Joined, by: str) -> None:
    """Connect a leg of one call, which goes on, with a leg of another, which ends. Raises Unable."""
    if one.call is other.call:
        raise Unable("bad_state", "the same call")
    ours, theirs = _leg(one.call, one.side), _leg(other.call, other.side)
    one.call.post(Input.JOIN, Joining(ours, other.call, theirs, by))


def _leg(call: "Call", side: Side) -> Leg:
    leg = call.roles.get(ROLES[side])
    if call.state is not State.CONNECTED or leg is None:
        raise Unable("bad_state", f"call {call.id} has no {side} that could be moved now")
    return leg


def _number(leg: Leg) -> str:
    """The number that may be shown for this leg, if it is one of the tenant's."""
    return leg.presented.number


def check(plan: Plan, what: str, *, dials: bool) -> Plan:
    """The plan, if it leads somewhere; where it has to ring somebody, without anything else in it. Raises Unable."""
    attempts = plan.attempts
    if dials:
        attempts = tuple(one for one in attempts if isinstance(one, DialTrunk | DialUser | DialAddress))
    if not attempts:
        code: Literal["forbidden", "not_found"] = "forbidden" if plan.refusal == FORBIDDEN else "not_found"
        raise Unable(code, f"{what}: nobody to call", plan.why)
    return Plan(plan.route, plan.tenant, attempts, plan.why, custom=plan.custom)
