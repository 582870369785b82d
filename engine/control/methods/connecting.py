"""Methods for who is answered and who hears whom: ring, answer, reject, hold, resume, bridge, unbridge."""

from dataclasses import dataclass
from typing import Any, Literal

from santral.engine.control.caller import Caller
from santral.engine.control.methods.audio import LEG, wrong
from santral.engine.control.protocol import RequestError
from santral.engine.control.shapes import about


@dataclass(frozen=True, slots=True)
class Ring:
    """Tell a caller not yet answered that it rings (180), whatever does."""

    id: str = about("of the call")


async def on_ring(caller: Caller, command: Ring) -> dict[str, Any]:
    caller.call(command.id).verbs.ring()
    return {"id": command.id}


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a caller while others ring yet: it can be played to from now on, and hears ringback where they ring.

    Billing begins with it. A caller that has not said what it hears (a late offer) is answered when somebody is there.
    """

    id: str = about("of the call")


async def on_answer(caller: Caller, command: Answer) -> dict[str, Any]:
    caller.call(command.id).verbs.answer()
    return {"id": command.id}


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse a caller not yet answered; who is dialled is cancelled. The event `call.ended` follows."""

    id: str = about("of the call")
    status: int | None = about("SIP status 400 to 699; 603 if left out", None)


async def on_reject(caller: Caller, command: Reject) -> dict[str, Any]:
    if command.status is not None and not 400 <= command.status <= 699:
        raise wrong("status", "must be 400 to 699")
    caller.call(command.id).verbs.reject(command.status, caller.who.name)
    return {"id": command.id}


@dataclass(frozen=True, slots=True)
class Hold:
    """Have the peers of legs that hear each other wait, with hold music, heard by nobody; their phones are told.

    `leg.held` follows. It ends by `call.resume`, and when the leg is connected to somebody else.
    """

    id: str = about("of the call")
    leg: str | None = about(LEG, None)


async def on_hold(caller: Caller, command: Hold) -> dict[str, Any]:
    return {"legs": caller.call(command.id).verbs.hold(command.leg, caller.who.name)}


@dataclass(frozen=True, slots=True)
class Resume:
    """Legs that `call.hold` keeps waiting hear the other one again, and are heard. `leg.resumed` follows."""

    id: str = about("of the call")
    leg: str | None = about(LEG, None)


async def on_resume(caller: Caller, command: Resume) -> dict[str, Any]:
    return {"legs": caller.call(command.id).verbs.resume(command.leg, caller.who.name)}


@dataclass(frozen=True, slots=True)
class BridgeLegs:
    """Let two legs hear each other: those of one call that `call.unbridge` or a conference has apart, or one of each of
    two answered calls.

    With `other` it is `call.transfer` with `other`: that call ends, and legs left alone are hung up.
    """

    id: str = about("of the call, which goes on")
    other: str | None = about("id of the other call", None)
    keep: Literal["caller", "callee"] = about("with `other`: which leg of this call goes on", "caller")
    take: Literal["caller", "callee"] = about("with `other`: which leg of that call it hears then", "callee")


async def on_bridge(caller: Caller, command: BridgeLegs) -> dict[str, Any]:
    call = caller.call(command.id)
    if command.other is None:
        return {"id": call.id, "legs": call.verbs.unite()}
    join(caller, call.id, command.keep, command.other, command.take)
    return {"id": call.id, "legs": []}


@dataclass(frozen=True, slots=True)
class Unbridge:
    """Part the legs of a call: none is hung up, each hears what is played to it, else nothing, until `call.bridge`."""

    id: str = about("of the call")


async def on_unbridge(caller: Caller, command: Unbridge) -> dict[str, Any]:
    return {"id": command.id, "legs": caller.call(command.id).verbs.part()}


def join(
    caller: Caller,
    call: str,
    keep: Literal["caller", "callee"],
    other: str,
    take: Literal["caller", "callee"],
) -> None:
    """A leg of one call and one of another hear each other; that call ends. Both are of one tenant."""
    ours, theirs = caller.call(call), caller.call(other)
    if theirs.tenant != ours.tenant:
        raise RequestError("forbidden", "the other call is of another tenant", {"other": other})
    caller.engine.join(call, keep, other, take, caller.who.name)
