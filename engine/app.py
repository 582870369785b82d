"""The engine as a whole: the one place where its parts are made and joined, started and stopped in order."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from santral.engine import figures, log, supply
from santral.engine.acd.queues import Queues
from santral.engine.calls import commanding
from santral.engine.calls.actions import conferring
from santral.engine.calls.call import Call
from santral.engine.calls.commanding import Joined, Side, Unable
from santral.engine.calls.leg import Leg, Referral
from santral.engine.cdr.store import CdrStore
from santral.engine.conferences import Conferences
from santral.engine.config.load import load
from santral.engine.config.model import Config
from santral.engine.config.problems import ConfigError
from santral.engine.config.reload import changes_needing_restart
from santral.engine.control.protocol import RequestError
from santral.engine.control.server import ControlServer, ControlSettings
from santral.engine.events import EventLog
from santral.engine.gate import Gate
from santral.engine.guard import Guard
from santral.engine.ids import CHANCE
from santral.engine.limits import Limits
from santral.engine.locating import Locator
from santral.engine.media import AudioError, AudioLibrary, MediaEvent, MediaPlane, PlaneSettings
from santral.engine.metrics import Histogram, MetricsServer, Sample
from santral.engine.recordings.studio import Studio
from santral.engine.registration import Registrations
from santral.engine.sequence import SequenceFile
from santral.engine.signalling import Signalling
from santral.engine.trace import Ladder, Reception, Trace
from santral.engine.trunks import Trunks
from santral.engine.world import Services, World
from santral.sip import events as sip
from santral.sip.agent import AgentSettings
from santral.sip.message import Request, make_response
from santral.sip.transport import TlsError

METHODS: Final = (  # what Allow says
    "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "MESSAGE", "PRACK", "UPDATE", "REGISTER", "REFER", "NOTIFY",
    "SUBSCRIBE",
)  # fmt: skip
EXTENSIONS: Final = (
    "100rel",
    "timer",
    "replaces",
    "norefersub",
)  # what Supported says, where a trunk does not have it otherwise
STOP_GRACE_S: Final = 2.0  # for BYEs and CANCELs of calls cut off by a stop to be answered
DISTRIBUTION: Final = "santral"


@contextmanager
def told_to_clients() -> Iterator[None]:
    """What calls cannot do is an error of the request."""
    try:
        yield
    except Unable as problem:
        raise RequestError(problem.code, str(problem), {"why": list(problem.why)}) from None


class Engine:
    """One node. `start`, then calls come and go until `stop`."""

    def __init__(self, config: Config, path: Path | None, loop: asyncio.AbstractEventLoop) -> None:
        self.world = World.of(config)
        self._path = path
        self._loop = loop
        self._started = time.monotonic()
        self._calls: dict[str, Call] = {}
        self.tally = figures.Tally()
        self._drain: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._log = log.get("engine")
        engine, rtp = config.engine, config.rtp
        self.events = EventLog(engine.node, SequenceFile(engine.data_dir / "events.seq"))
        self.cdrs = CdrStore(engine.database, node=engine.node)
        plane = MediaPlane(
            PlaneSettings(
                ports=(rtp.ports.first, rtp.ports.last),
                threads=engine.media_threads or supply.media_threads(),
                max_legs=2 * config.sip.max_calls + supply.SPARE_LEGS,
                timeout_s=rtp.timeout,
                timeout_hold_s=rtp.timeout_hold,
                no_audio_s=rtp.no_audio,
            ),
            self._hear_media,
            CHANCE,
        )
        settings = AgentSettings(user_agent=f"Santral/{version(DISTRIBUTION)}", allow=METHODS, supported=EXTENSIONS)
        self.signalling = Signalling(
            loop, supply.listeners(config), settings, self._hear, supply.keyring(config, self.world.networks)
        )
        self.trace = Trace(supply.trace(config), self.signalling.transports.addresses)
        if not self.trace.is_off:
            self.signalling.tap = self.trace
        self.studio = Studio(loop, config, plane, self.cdrs, self.events)
        locator = Locator(loop, self.signalling.transports.addresses, config.sip.nameservers)
        self.services = Services(
            loop=loop,
            signalling=self.signalling,
            plane=plane,
            audio=AudioLibrary(),
            events=self.events,
            cdrs=self.cdrs,
            limits=Limits(self.world.limits),
            guard=Guard(self.world, self.events, self._is_known),
            registrations=Registrations(loop, engine.node, self.events, self.cdrs),
            trunks=Trunks(loop, self.signalling, locator, self.events),
            locator=locator,
            conferences=Conferences(loop, plane, self.events),
            queues=Queues(loop, self.events, self.world.acd),
            recordings=self.studio.recordings,
        )
        self.services.conferences.on_change = self.studio.recordings.follow_conference
        self.signalling.admits = self.services.guard.admits_bytes
        self.signalling.agent.door = self.services.guard
        self.gate = Gate(self.services, self._enter, self._leave)
        certificate = supply.control_certificate(config)
        if certificate is not None:
            self.signalling.watched.append(certificate)
        self.control = ControlServer(
            self,
            ControlSettings(
                config.control.socket,
                supply.control_tcp(config),
                supply.tokens(config),
                None if certificate is None else certificate.context,
            ),
        )
        self.metrics = (
            None
            if config.metrics is None
            else MetricsServer(config.metrics.listen.host, config.metrics.listen.port, [self.samples])
        )

    # ---- life ----

    async def start(self) -> None:
        """Bring everything up, in the order in which one part needs another; what a lost run left open is closed."""
        await self.cdrs.start()
        for record in await self.cdrs.recover():
            self._log.warning("a call was lost by an earlier run", call=record.id, started=record.started)
        self.services.plane.start(self._loop)
        await self.studio.start()
        await self.signalling.start()
        for (interface, transport), (host, port) in self.signalling.transports.addresses.items():
            network = self.world.networks[interface]
            bound = f"{supply.bracketed(host)}:{port}"
            public = bound if network.advertise is None else f"{supply.bracketed(network.advertise)}:{port}"
            self.signalling.agent.set_sent_by(interface, transport, public, inside=bound, local_net=network.local_net)
        await self.trace.start(self._loop, self._receptions)
        await self.services.registrations.start(self.signalling, self.world)
        self.services.trunks.start(self.world)
        queues, registrations = self.services.queues, self.services.registrations
        queues.contacts, registrations.on_change = registrations.contacts, queues.registered
        await queues.counting.start(self.cdrs, self.world.node)
        await queues.start(self.world, self.services, self.gate.make)
        await self.control.start()
        if self.metrics is not None:
            await self.metrics.start()
        self.events.emit("engine.ready")

    async def stop(self) -> None:
        """Cut off what is left and take everything down; every call gets its record."""
        self.gate.is_open = False
        if self._drain is not None:
            self._drain.cancel()
        for call in list(self._calls.values()):
            call.hang_up(503, "engine")
        await self._wait_until_empty(STOP_GRACE_S)
        if self.metrics is not None:
            await self.metrics.close()
        await self.services.locator.close()
        await self.services.trunks.close()
        self.services.queues.close()
        self.services.registrations.close()
        await self.signalling.close()
        await self.trace.close()
        await self.studio.silence()
        await self.services.plane.stop()
        await self.services.audio.close()
        await self.studio.close()
        await self.cdrs.close()
        await self.control.close()
        self.events.close()

    def drain(self) -> None:
        """No new calls; `stopped` is set when the last one ends or `drain_timeout` has passed."""
        if self._drain is None:
            self.gate.is_open = False
            self.events.emit("engine.draining", calls=len(self._calls))
            self._log.info("draining", calls=len(self._calls))
            self._drain = self._loop.create_task(self._drain_out())

    async def _drain_out(self) -> None:
        await self._wait_until_empty(self.world.config.engine.drain_timeout)
        self._stopped.set()

    async def _wait_until_empty(self, limit_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._empty.wait()

    async def drained(self) -> None:
        await self._stopped.wait()

    def stop_now(self) -> None:
        self._stopped.set()

    async def reload(self) -> list[str]:
        """Read the file again. A wrong one leaves the old configuration in force; what needs a restart is named."""
        try:
            config = load(self._path)
        except ConfigError as problem:
            self._log.error(
                "the new configuration is wrong; the old one stays", problems=[str(one) for one in problem.problems]
            )
            raise RequestError(
                "invalid_configuration",
                "the new configuration is wrong; the old one stays",
                [str(one) for one in problem.problems],
            ) from None
        certificates = supply.keyring(config, self.world.networks)
        try:
            await asyncio.to_thread(certificates.load)
        except TlsError as problem:  # it was readable when the configuration was checked
            raise RequestError("invalid_configuration", "a certificate cannot be used", [str(problem)]) from None
        self.signalling.transports.keyring.replace(certificates)
        kept = changes_needing_restart(self.world.config, config)
        self.world = World.of(config, self.world.networks)
        self.services.locator.use(config.sip.nameservers)
        self.services.limits.reconfigure(self.world.limits, self._loop.time())
        self.services.guard.reconfigure(self.world)
        self.services.registrations.reconfigure(self.world)
        self.services.trunks.reconfigure(self.world)
        self.services.queues.reconfigure(self.world)
        self.studio.reconfigure(config)
        self.control.set_tokens(supply.tokens(config))
        changes = [f"needs a restart: {one}" for one in kept]
        self.events.emit("engine.reloaded", changes=changes)
        self._log.info("configuration reloaded", needs_restart=kept)
        return changes

    # ---- what comes in ----

    def _hear(self, event: sip.Event) -> None:
        """Events of the user agent: a session's go to its leg, new calls to the gate, the rest is answered here."""
        match event:
            case sip.IncomingInvite():
                self.gate.take(event, self.world)
            case sip.Stray(key=key, request=request, source=source):
                if request.method == "REGISTER":
                    self.gate.register(key, request, source, self.world)
                else:
                    self._answer_stray(key, request)
            case sip.Refused(kind=kind, source=source, detail=detail):
                self.gate.report(kind, source, detail)
            case sip.Referred(session=None) | sip.Resubscribed() | sip.SubscriptionEnded():
                self._hear_subscription(event)
            case sip.RequestAnswered(session=None) | sip.RequestFailed(session=None):
                self.services.trunks.hear(event)
            case _:
                leg = event.session.user  # type: ignore[union-attr]
                if isinstance(leg, Leg):
                    leg.hear(event)
                elif isinstance(event, sip.InDialog):  # its call is over, the BYE waits for an ACK yet
                    self.signalling.respond(event.key, make_response(event.request, 481))

    def _hear_subscription(self, event: sip.Referred | sip.Resubscribed | sip.SubscriptionEnded) -> None:
        """Whoever referred us goes on hearing of it, unless it is over; outside a call of theirs nobody may."""
        subscription = event.subscription
        match event:
            case sip.Referred():
                self.signalling.perform(subscription.reject(403, self.signalling.now()))
            case sip.Resubscribed():
                if isinstance(subscription.user, Referral):
                    subscription.user.repeat()
            case sip.SubscriptionEnded():
                subscription.user = None

    def _answer_stray(self, key: str, request: Request) -> None:
        """OPTIONS asks whether we take calls, and which kind (RFC 3261 11.2); while draining we do not.

        A MESSAGE is carried inside a call only (403); all else is 405.
        """
        status = 403 if request.method == "MESSAGE" else 405
        if request.method == "OPTIONS":
            status = 200 if self.gate.is_open else 503
        response = make_response(request, status)
        response.headers.set("Allow", ", ".join(METHODS))
        if status == 200:
            response.headers.set("Accept", "application/sdp")
        self.signalling.respond(key, response)

    def _is_known(self, host: str) -> bool:
        """Whether a phone is registered from this address, or one of our registrars is there."""
        return self.services.registrations.knows(host) or self.services.trunks.knows(host)

    def _hear_media(self, event: MediaEvent) -> None:
        if event.kind == "ports_low":
            self._log.warning("RTP ports run low", **event.data)
            return
        if event.room:
            self.services.conferences.hear(event)
            return
        owner = self.services.media_owners.get(event.leg)
        if owner is not None:
            call, leg = owner
            call.hear_media(leg, event)

    def _enter(self, call: Call) -> None:
        self._calls[call.id] = call
        self._empty.clear()

    def _leave(self, call: Call) -> None:
        self._calls.pop(call.id, None)
        self.tally.count(call)
        if not self._calls:
            self._empty.set()

    # ---- what control clients and metrics see ----

    def calls(self) -> Iterable[Call]:
        return self._calls.values()

    def call(self, identifier: str) -> Call | None:
        return self._calls.get(identifier)

    def originate(self, tenant: str, numbers: tuple[str, str], caller: str, custom: dict[str, str]) -> Call:
        """Make a call by command. Raises `RequestError`."""
        with told_to_clients():
            return self.gate.originate(self.world, tenant, numbers, caller, custom)

    def transfer(self, call: str, to: str, keep: Side, by: str) -> None:
        """Connect the kept leg of a call with a number instead. Raises `RequestError`."""
        with told_to_clients():
            commanding.transfer(self._calls[call], to, keep, by)

    def join(self, call: str, keep: Side, other: str, take: Side, by: str) -> None:
        """Connect a leg of one call with one of another, which ends. Raises `RequestError`."""
        with told_to_clients():
            commanding.join(Joined(self._calls[call], keep), Joined(self._calls[other], take), by)

    def ladder(self, call: str) -> Ladder | None:
        return self.trace.ladder(call)

    def _receptions(self) -> Iterable[Reception]:
        """How the media of every leg comes in, for the collector."""
        for call in self._calls.values():
            for leg in call.legs:
                if leg.is_open and leg.media is not None:
                    ours = (leg.party.advertise or leg.media.address, leg.media.port)
                    yield Reception(leg.sip_call_id, ours, leg.media.stats())

    @property
    def queues(self) -> Queues:
        return self.services.queues

    @property
    def conferences(self) -> Conferences:
        return self.services.conferences

    async def open_conference(self, tenant: str, name: str) -> dict[str, Any]:
        if tenant not in self.world.config.tenants:
            raise RequestError("not_found", "no such tenant", {"tenant": tenant})
        try:
            settings, sounds = await conferring.prepared(self.services, self.world, (tenant, name))
        except AudioError as problem:
            raise RequestError("cannot_play", str(problem), {"file": problem.path}) from None
        return self.services.conferences.obtain(tenant, name, settings, sounds).shown()

    def trunks(self) -> Sequence[dict[str, Any]]:
        limits = self.services.limits
        return [
            {
                "name": trunk.name,
                "tenant": trunk.tenant,
                "shared": trunk.shared,
                "channels": trunk.channels,
                "channels_in_use": limits.channels(trunk.name),
                **self.services.trunks.state(trunk.name),
            }
            for trunk in self.world.config.trunk
        ]

    def users(self) -> Sequence[dict[str, Any]]:
        limits, registrations = self.services.limits, self.services.registrations
        return [
            {
                "name": user.name,
                "tenant": user.tenant,
                "address": aor,
                "channels": self.world.limits.trunks[aor].channels,
                "channels_in_use": limits.channels(aor),
                "contacts": registrations.shown(aor),
            }
            for aor, user in self.world.users.items()
        ]

    def bans(self) -> list[dict[str, Any]]:
        return self.services.guard.bans(self._loop.time())

    def forgive(self, address: str) -> bool:
        return self.services.guard.forgive(address)

    async def doctor(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(supply.examine, self.world.config)

    def status(self) -> dict[str, Any]:
        """The node: who it is, where it really listens, how much it carries, what it has counted."""
        agent, plane = self.signalling.agent, self.services.plane.snapshot()
        return {
            "node": self.world.node,
            "version": version(DISTRIBUTION),
            "uptime_s": round(time.monotonic() - self._started, 3),
            "state": "ready" if self.gate.is_open else "draining",
            "calls": len(self._calls),
            "listen": self.listening(),
            "sip": {**agent.counts, "counters": dict(agent.counters)},
            "transport": self.signalling.transports.figures(),
            "locating": self.services.locator.counters(),
            "media": dict(plane),
            "gate": dict(self.gate.counters),
            "guard": dict(self.services.guard.counters),
            "registrations": self.services.registrations.count(),
            "limits": {"calls": self.services.limits.calls(), "holders": self.services.limits.holders()},
            "events": {"last": self.events.last, "oldest": self.events.oldest, "subscribers": self.events.subscribers},
            "recordings": self.studio.status(),
            "cdrs": self.cdrs.counters(),
            "trace": self.trace.counters(),
            "control": dict(self.control.counters),
        }

    def listening(self) -> list[str]:
        """Every address in use, as `udp:127.0.0.1:5060`, `control:…`, `metrics:…`."""
        found = [
            f"{transport}:{supply.bracketed(host)}:{port}"
            for (_, transport), (host, port) in self.signalling.transports.addresses.items()
        ]
        found += [f"control:{address}" for address in self.control.addresses]
        if self.studio.address is not None:
            host, port = self.studio.address
            found.append(f"recordings:http://{supply.bracketed(host)}:{port}")
        if self.metrics is not None:
            host, port = self.metrics.address
            found.append(f"metrics:http://{supply.bracketed(host)}:{port}/metrics")
        return found

    def samples(self) -> Iterable[Sample | Histogram]:
        """Figures for Prometheus."""
        return figures.samples(self.status(), self.trunks(), self.tally)
