"""What a call needs to know and use: a frozen picture of the configuration, and the services of the engine.

A call keeps the picture it started with; a reload makes a new one for the calls that come after it.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from santral.codecs.tones import Tone
from santral.engine import log
from santral.engine.acd.settings import Acd
from santral.engine.calls.crossing import Policy
from santral.engine.calls.leg import Leg, Party
from santral.engine.calls.tones import tone_of
from santral.engine.cdr.store import CdrStore
from santral.engine.conferences import Conferences, RoomSettings
from santral.engine.config import Config
from santral.engine.config.convert import aor_of, home_numbering, policy_of, routing_table
from santral.engine.config.sounds import Sound, SoundError, find_sound
from santral.engine.config.tables.node import InterfaceTable
from santral.engine.config.tables.peers import TrunkTable, UserTable
from santral.engine.config.tables.routes import TenantTable
from santral.engine.events import EventLog
from santral.engine.ids import CHANCE
from santral.engine.limits import Limits, LimitSettings, TrunkLimit
from santral.engine.locating import Locator
from santral.engine.media import AudioLibrary, MediaPlane
from santral.engine.messages.settings import Message, messages_of
from santral.engine.recordings.policy import Policy as RecordingPolicy
from santral.engine.signalling import Signalling
from santral.routing.plan import CallFacts, DialAddress, Dialled, DialTrunk, Plan, plan
from santral.routing.routes import RoutingTable
from santral.sip.auth.digest import ALGORITHMS, ha1
from santral.sip.locating import is_within
from santral.sip.session import SessionTimer

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues
    from santral.engine.calls.call import Call
    from santral.engine.guard import Guard
    from santral.engine.recordings.recordings import Recordings
    from santral.engine.registration import Registrations
    from santral.engine.trunks import Trunks

HASHES: Final = ("MD5", "SHA-256")  # in which users' secrets are kept
PHONE_TRY_S: Final = 4.0  # a phone that says nothing for so long is not there
PHONE_PROGRESS_S: Final = 15.0
STRANGERS_CODECS: Final = ("pcma", "pcmu")  # of addresses without a trunk
USER_BUSY: Final = 486  # when all channels of a user are taken
EMERGENCY_CALLS: Final = 50  # calls for help at once, beyond every other limit

HOLD_MUSIC: Final = "hold-music.wav"  # a tenant's own, else the embedded one
RINGBACK: Final = "ringback.wav"  # a tenant's own, else the tone of its country


@dataclass(frozen=True, slots=True)
class TrunkSide:
    """One trunk as calls use it. Times in seconds."""

    name: str
    tenant: str
    party: Party
    try_timeout_s: float
    progress_timeout_s: float
    full_status: int
    late_offer: bool = False  # INVITEs to it carry no offer
    username: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  # HA1 by hash, for its realm
    realm: str = ""  # of our challenges to its callers
    tls_profile: str = ""  # its own certificates, where it has any


@dataclass(frozen=True, slots=True)
class UserSide:
    """One user. `side` is used in calls like a trunk's, under the address of record; `secrets` are HA1 by hash."""

    name: str
    tenant: str
    side: TrunkSide
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class World:
    """One configuration in force."""

    config: Config
    networks: Mapping[str, InterfaceTable]
    node: str
    table: RoutingTable
    trunks: Mapping[str, TrunkSide]
    users: Mapping[str, UserSide]  # by address of record
    hosts: frozenset[str]  # names and addresses that mean us, in lower case
    gateways: frozenset[str]  # those that mean a trunk: its targets, and the single addresses of its accept_from
    realms: Mapping[str, Mapping[str, str]]  # domain with users -> user name, or its hash -> address of record
    max_duration_s: Mapping[str, float]
    hold_music: Mapping[str, Sound]  # by tenant, as are those that follow
    ringback: Mapping[str, Sound | Tone]
    acd: Acd
    rooms: Mapping[tuple[str, str], RoomSettings]  # by tenant and name
    messages: Mapping[str, Message]
    limits: LimitSettings
    recording: RecordingPolicy

    @classmethod
    def of(cls, config: Config, networks: Mapping[str, InterfaceTable] | None = None) -> "World":
        """`networks` are those in use since the start, when they stay as they are: a reload moves no socket."""
        networks = config.interfaces if networks is None else networks
        users = {aor_of(config, user): _user(config, user, networks) for user in config.user}
        return cls(
            config=config,
            networks=networks,
            node=config.engine.node,
            table=routing_table(config),
            trunks={trunk.name: _side(config, trunk.name, networks) for trunk in config.trunk},
            users=users,
            hosts=_hosts(config, networks),
            gateways=_gateways(config),
            realms=_realms(users),
            max_duration_s={tenant.name: float(tenant.max_duration) for tenant in config.tenant},
            hold_music={one.name: find_sound(HOLD_MUSIC, one.sounds, one.language) for one in config.tenant},
            ringback={one.name: _ringback(one) for one in config.tenant},
            acd=Acd.of(config),
            rooms=_rooms(config),
            messages=messages_of(config),
            limits=LimitSettings(
                max_calls=config.sip.max_calls,
                max_calls_per_second=config.sip.max_calls_per_second,
                emergency_calls=EMERGENCY_CALLS,
                trunks={
                    trunk.name: TrunkLimit(channels=trunk.channels, calls_per_second=trunk.calls_per_second)
                    for trunk in config.trunk
                }
                | {aor_of(config, user): TrunkLimit(channels=user.channels) for user in config.user},
            ),
            recording=RecordingPolicy.of(config),
        )

    def may_reach(self, host: str) -> bool:
        """Whether an address that a party of a call names may be dialled: inside `dial_networks`, and no trunk's, to
        which only routes lead, with their rights and limits.
        """
        return is_within(host, self.config.sip.dial_networks) and host not in self.gateways

    def realm_of_trunk(self, name: str) -> str:
        """The realm in which callers of this trunk prove who they are."""
        return self.trunks[name].realm

    def side_of(self, attempt: Dialled) -> TrunkSide:
        """Whom an attempt dials."""
        if isinstance(attempt, DialAddress):
            return self._stranger(attempt.interface)
        return self.trunks[attempt.trunk] if isinstance(attempt, DialTrunk) else self.users[attempt.user].side

    def _stranger(self, interface: str) -> TrunkSide:
        """An address without a trunk or user: it is believed nothing and may do nothing but talk."""
        network = self.networks[interface]
        party = Party(
            trunk="",
            interface=interface,
            rtp_address=str(network.rtp),
            advertise=_advertised(network),
            local_net=network.local_net,
            codecs=STRANGERS_CODECS,
            policy=Policy(host=str(self.config.sip.domain or network.advertise or network.sip[0].host)),
        )
        return TrunkSide("", "", party, PHONE_TRY_S, PHONE_PROGRESS_S, USER_BUSY)

    def party(self, name: str, interface: str) -> Party:
        """The side of this trunk or user in a call that came in by this interface: its audio takes the same way."""
        usual = (self.users[name].side if name in self.users else self.trunks[name]).party
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


def _hosts(config: Config, networks: Mapping[str, InterfaceTable]) -> frozenset[str]:
    names = [config.sip.domain, *(tenant.domain for tenant in config.tenant)]
    for network in networks.values():
        names += [network.advertise, *(one.host for one in network.sip)]
    return frozenset(str(name).lower() for name in names if name is not None)


def _rooms(config: Config) -> dict[tuple[str, str], RoomSettings]:
    found = {}
    for one in config.conference:
        tenant = config.tenants[one.tenant]
        join, leave = (
            None if sound is None else find_sound(sound, tenant.sounds, tenant.language)
            for sound in (one.join_sound, one.leave_sound)
        )
        found[one.tenant, one.name] = RoomSettings(
            max_members=one.max_members,
            muted_on_join=one.muted_on_join,
            join_sound=join,
            leave_sound=leave,
            is_silent=one.silent,
            tells_speakers=one.speakers,
            rate_hz=one.rate_hz,
            agc=one.agc,
        )
    return found


def _ringback(tenant: TenantTable) -> Sound | Tone:
    """The tenant's own file, else the tone of its country."""
    try:
        return find_sound(RINGBACK, tenant.sounds, tenant.language)
    except SoundError:
        return tone_of(tenant.country, "ringback")


def _gateways(config: Config) -> frozenset[str]:
    found = {target.uri.host.lower() for trunk in config.trunk for target in trunk.targets}
    for trunk in config.trunk:
        found |= {str(one.network[0]) for one in trunk.accept_from if one.network.num_addresses == 1}
    return frozenset(found)


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
    our_host = str(config.sip.domain or network.advertise or network.sip[0].host)
    party = Party(
        trunk=name,
        interface=network.name,
        rtp_address=str(network.rtp),
        advertise=_advertised(network),
        local_net=network.local_net,
        codecs=tuple(trunk.codecs),
        ptime_ms=trunk.ptime,
        latch_networks=tuple(str(one) for one in trunk.media_from),
        policy=policy_of(config, trunk, our_host),
        srtp=trunk.srtp,
        transcode=trunk.transcode,
        nat=trunk.nat,
        transfer=trunk.transfer,
        redirect=trunk.redirect,
        reliable=trunk.reliable,
        session_timer=_session_timer(trunk),
        hold=trunk.hold,
        dtmf=trunk.dtmf,
    )
    realm = trunk.realm or config.tenants[trunk.tenant].domain or our_host
    return TrunkSide(
        name=name,
        tenant=trunk.tenant,
        party=party,
        try_timeout_s=trunk.try_timeout,
        progress_timeout_s=trunk.progress_timeout,
        full_status=trunk.full,
        late_offer=trunk.offer == "late",
        tls_profile=trunk.tls_profile,
        username=trunk.username or "",
        secrets=_secrets(trunk.username, realm, trunk.password),
        realm=realm,
    )


def _secrets(username: str | None, realm: str, password: SecretStr | None) -> dict[str, str]:
    """HA1 by hash: all that is kept of a password that others prove themselves with."""
    if username is None or password is None:
        return {}
    return {one: ha1(one, username, realm, password.get_secret_value()) for one in HASHES}


def _user(config: Config, user: UserTable, networks: Mapping[str, InterfaceTable]) -> UserSide:
    network = config.interface_of(user)
    network = networks.get(network.name, network)
    aor, domain = aor_of(config, user), str(config.tenants[user.tenant].domain)
    party = Party(
        trunk="",
        interface=network.name,
        rtp_address=str(network.rtp),
        advertise=_advertised(network),
        local_net=network.local_net,
        codecs=tuple(user.codecs),
        policy=Policy(host=domain, numbering=home_numbering(config.tenants[user.tenant].country)),
        srtp=user.srtp,
        transcode=user.transcode,
        dtmf=user.dtmf,
        nat=user.nat,
        user=aor,
        transfer=user.transfer,
        hold=user.hold,
        redirect="follow",
    )
    side = TrunkSide(aor, user.tenant, party, PHONE_TRY_S, PHONE_PROGRESS_S, USER_BUSY)
    return UserSide(user.name, user.tenant, side, _secrets(user.name, domain, user.password))


def _realms(users: Mapping[str, UserSide]) -> dict[str, dict[str, str]]:
    """Names by which users prove themselves, per domain: as they are, and hashed (`userhash`, RFC 7616 3.4.4)."""
    found: dict[str, dict[str, str]] = {}
    for aor, user in users.items():
        domain = aor.partition("@")[2]
        names = found.setdefault(domain, {})
        names[user.name] = aor
        for one in HASHES:
            names[ALGORITHMS[one](f"{user.name}:{domain}".encode())] = aor
    return found


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
    guard: "Guard"
    registrations: "Registrations"
    trunks: "Trunks"
    conferences: Conferences
    queues: "Queues"
    recordings: "Recordings"
    media_owners: dict[int, tuple["Call", Leg]] = field(default_factory=dict)
    turns: Counter[str] = field(default_factory=Counter)  # calls of each trunk, for those that share them out in turn
    call_log: FilteringBoundLogger = field(default_factory=lambda: log.get("call"))  # each call binds its own

    def decide(self, world: World, facts: CallFacts) -> Plan:
        """The plan of a call, with chance, turns and the trunks that are down; a turn is counted by `take_turns`."""
        return plan(world.table, facts, CHANCE.random(), self.turns, self.trunks.down)

    def take_turns(self, decided: Plan) -> None:
        """This plan is carried out."""
        self.turns.update({one.trunk for one in decided.attempts if isinstance(one, DialTrunk)})

    def owner(self, leg: Leg) -> "Call | None":
        """The call whose leg this is, while it has media."""
        found = None if leg.media is None else self.media_owners.get(leg.media.id)
        return None if found is None else found[0]

    @staticmethod
    def description_id() -> int:
        """Session id of an o= line: unpredictable, and small enough for every parser (RFC 8866 5.2)."""
        return CHANCE.getrandbits(31)
