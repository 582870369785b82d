"""What a call needs to know and use: a frozen picture of the configuration, and the services of the engine.

A call keeps the picture it started with; a reload makes a new one for the calls that come after it.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from santral.engine.calls.leg import Leg, Party
from santral.engine.cdr.store import CdrStore
from santral.engine.config import Config
from santral.engine.config.convert import policy_of, routing_table
from santral.engine.config.model import InterfaceTable, TrunkTable
from santral.engine.config.sounds import Sound, find_sound
from santral.engine.events import EventLog
from santral.engine.limits import Limits, LimitSettings, TrunkLimit
from santral.engine.locating import Locator
from santral.engine.media import AudioLibrary, MediaPlane
from santral.engine.signalling import Signalling
from santral.routing.routes import RoutingTable
from santral.sip.session import SessionTimer

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

HOLD_MUSIC: Final = "hold-music.wav"  # a tenant's own, else the embedded one
RINGBACK: Final = "ringback.wav"


@dataclass(frozen=True, slots=True)
class TrunkSide:
    """One trunk as calls use it. Times in seconds."""

    name: str
    tenant: str
    party: Party
    try_timeout_s: float
    progress_timeout_s: float
    full_status: int
    late_offer: bool  # INVITEs to it carry no offer
    tls_profile: str = ""  # its own certificates, where it has any


@dataclass(frozen=True, slots=True)
class World:
    """One configuration in force."""

    config: Config
    networks: Mapping[str, InterfaceTable]
    node: str
    table: RoutingTable
    trunks: Mapping[str, TrunkSide]
    max_duration_s: Mapping[str, float]
    hold_music: Mapping[str, Sound]  # by tenant, as are those that follow
    ringback: Mapping[str, Sound]
    limits: LimitSettings

    @classmethod
    def of(cls, config: Config, networks: Mapping[str, InterfaceTable] | None = None) -> "World":
        """`networks` are those in use since the start, when they stay as they are: a reload moves no socket."""
        networks = config.interfaces if networks is None else networks
        return cls(
            config=config,
            networks=networks,
            node=config.engine.node,
            table=routing_table(config),
            trunks={trunk.name: _side(config, trunk.name, networks) for trunk in config.trunk},
            max_duration_s={tenant.name: float(tenant.max_duration) for tenant in config.tenant},
            hold_music={one.name: find_sound(HOLD_MUSIC, one.sounds) for one in config.tenant},
            ringback={one.name: find_sound(RINGBACK, one.sounds) for one in config.tenant},
            limits=LimitSettings(
                max_calls=config.sip.max_calls,
                max_calls_per_second=config.sip.max_calls_per_second,
                trunks={
                    trunk.name: TrunkLimit(channels=trunk.channels, calls_per_second=trunk.calls_per_second)
                    for trunk in config.trunk
                },
            ),
        )

    def party(self, trunk: str, interface: str) -> Party:
        """The trunk's side of a call that came in by this interface: its audio takes the same way."""
        usual = self.trunks[trunk].party
        if interface == usual.interface:
            return usual
        network = self.networks[interface]
        return replace(
            usual,
            interface=interface,
            rtp_address=str(network.rtp),
            advertise=_advertised(network),
            local_net=network.local_net,
        )


def _advertised(network: InterfaceTable) -> str | None:
    return None if network.advertise is None else str(network.advertise)


def _session_timer(trunk: TrunkTable) -> SessionTimer | None:
    if not trunk.session_expires:
        return None
    return SessionTimer(int(trunk.session_expires), int(min(trunk.min_se, trunk.session_expires)))


def _side(config: Config, name: str, networks: Mapping[str, InterfaceTable]) -> TrunkSide:
    trunk = config.trunks[name]
    network = config.interface_of(trunk)
    network = networks.get(network.name, network)
    party = Party(
        trunk=name,
        interface=network.name,
        rtp_address=str(network.rtp),
        advertise=_advertised(network),
        local_net=network.local_net,
        codecs=tuple(trunk.codecs),
        ptime_ms=trunk.ptime,
        latch_networks=tuple(str(one) for one in trunk.media_from),
        policy=policy_of(config, trunk, str(config.sip.domain or network.advertise or network.sip[0].host)),
        nat=trunk.nat,
        reliable=trunk.reliable,
        session_timer=_session_timer(trunk),
        hold=trunk.hold,
    )
    return TrunkSide(
        name=name,
        tenant=trunk.tenant,
        party=party,
        try_timeout_s=trunk.try_timeout,
        progress_timeout_s=trunk.progress_timeout,
        full_status=trunk.full,
        late_offer=trunk.offer == "late",
        tls_profile=trunk.tls_profile,
    )


@dataclass(frozen=True, slots=True)
class Services:
    """What the engine does for calls. `media_owners` finds the call and leg of a media plane event."""

    loop: asyncio.AbstractEventLoop
    signalling: Signalling
    plane: MediaPlane
    audio: AudioLibrary
    events: EventLog
    cdrs: CdrStore
    limits: Limits
    locator: Locator
    media_owners: dict[int, tuple["Call", Leg]] = field(default_factory=dict)

    @staticmethod
    def description_id() -> int:
        """Session id of an o= line: unpredictable, and small enough for every parser (RFC 8866 5.2)."""
        return secrets.randbits(31)
