"""What a leg is made of and what it says: roles, news, times, the configured side. Plain values, no behaviour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from typing import Final, Literal, Protocol, TypeVar

from santral.engine.calls.crossing.policy import STRANGER, Policy
from santral.engine.media.model import Dtmf
from santral.sip import events as sip
from santral.sip.errors import LocalError
from santral.sip.locating import Network, is_within
from santral.sip.message import Response
from santral.sip.offer_answer import SrtpPolicy
from santral.sip.session import SessionTimer

HeaderLines = Sequence[tuple[str, str]]
T = TypeVar("T")
NOT_ACCEPTABLE: Final = 488
METHOD_NOT_ALLOWED: Final = 405
REQUEST_PENDING: Final = 491


class Role(StrEnum):
    """What a leg is to its call. A leg that moves to another call may change it; who sent the INVITE stays."""

    CALLER = "originating"
    CALLEE = "connected"


class News(StrEnum):
    """What a leg tells its call; in brackets what comes with it."""

    TRYING = auto()
    RINGING = auto()  # (status of the 18x)
    ANSWERED = auto()
    FAILED = auto()  # (Failure)
    CANCELLED = auto()  # (Reason values)
    ENDED = auto()  # (cause: bye, no_ack, no_prack, lost, session_expired, no_answer)
    BROKEN = auto()  # our own bug, while it heard its session
    CHANGE_ASKED = auto()  # its re-INVITE, UPDATE or offer in a PRACK waits; `remote` is what it wants
    CHANGE_WITHDRAWN = auto()
    CHANGE_ANSWERED = auto()
    CHANGE_REFUSED = auto()  # (status)
    CHANGE_DUE = auto()  # what met another change may be asked for again (RFC 3261 14.1)
    CHANGED = auto()  # its ACK or PRACK answered our offer
    CONFIRMED = auto()  # its ACK to our 2xx, without an answer in it
    ASKED = auto()  # (key, Request): an INFO or MESSAGE for the other leg
    REFERRED = auto()  # (Referral): its peer wants the other side to be connected elsewhere
    REPLIED = auto()  # (key, status): the answer to what we passed on, or to our probe


class Line(Protocol):
    """What a leg needs of the signalling: clock, methods and extensions we take, a way to have actions performed."""

    allow: tuple[str, ...]
    supported: tuple[str, ...]

    def now(self) -> float: ...
    def perform(self, actions: Iterable[sip.Action]) -> None: ...
    def respond(self, key: str, response: Response) -> None: ...


@dataclass(slots=True)
class Times:
    """When what happened, UTC milliseconds; None until it does."""

    started: int
    ringing: int | None = None
    answered: int | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """The configured side of a leg: its trunk, the codecs it may use, where its audio may come from. Peers inside
    `local_net` are told the address we are bound to instead of `advertise`.
    """

    trunk: str
    interface: str
    rtp_address: str
    advertise: str | None
    codecs: tuple[str, ...]
    ptime_ms: int = 20
    latch_networks: tuple[str, ...] = ()
    reliable: Literal["off", "supported", "required"] = "supported"  # 18x by 100rel (RFC 3262)
    session_timer: SessionTimer | None = None  # what we ask for (RFC 4028); None: only what the peer asks for
    dtmf: Dtmf = "auto"  # how its peer says and hears digits
    hold: str = "pass"  # or "music": what hold by its peer does to the other side
    policy: Policy = STRANGER  # what it is believed and told of the other side
    local_net: tuple[Network, ...] = ()
    user: str = ""  # address of record, where it is a user's; `trunk` is empty then
    transfer: Literal["refuse", "local"] = "refuse"  # what becomes of a REFER of its peer
    redirect: Literal["refuse", "follow", "pass"] = "refuse"  # … and of a 3xx
    srtp: SrtpPolicy = "off"
    transcode: bool = True  # it is offered codecs that its counterpart lacks, too
    nat: bool = False  # it is where its packets come from, whatever its Contact and SDP say (RFC 3581, RFC 7362)

    @property
    def name(self) -> str:
        """What it is called in events and records: its trunk, or the user's address of record."""
        return self.trunk or self.user

    def facing(self, host: str) -> "Party":
        """The same as a peer at this address is to see it."""
        return replace(self, advertise=None) if self.local_net and is_within(host, self.local_net) else self


def sure(value: T | None) -> T:
    """The value, which has to be there by now: its absence is our bug, told by `LocalError`."""
    if value is None:
        raise LocalError("a leg was used before it was ready")
    return value
