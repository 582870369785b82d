"""Keeps up with the trunks: asks targets whether they are there, registers where that is wanted, tells what changes."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final

from santral.engine import log, utc
from santral.engine.events import EventLog
from santral.engine.locating import Locator
from santral.engine.signalling import Signalling
from santral.engine.trunks.health import ABSENT, FIRST_SPREAD, Target
from santral.engine.trunks.registration import Registration
from santral.engine.world import World
from santral.sip.auth.account import Account
from santral.sip.events import Hop, RequestAnswered, RequestFailed
from santral.sip.registration.enrolment import Standing
from santral.sip.uri import NameAddr, Uri

TICK_S: Final = 0.5
LEAVE_S: Final = 1.0  # for carriers to hear that we go
NOWHERE: Final = 503  # as what a target counts whose name leads nowhere …
INTERNAL_ERROR: Final = 503  # … and one that we failed to ask
OURSELVES: Final = "santral"  # user part of From in our questions

Done = Callable[[RequestAnswered | RequestFailed], None]


class Trunks:
    """All trunks of this node, apart from their calls."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, signalling: Signalling, locator: Locator, events: EventLog
    ) -> None:
        self.down: frozenset[tuple[str, str]] = frozenset()  # trunk and target URI
        self._loop = loop
        self._signalling = signalling
        self._locator = locator
        self._events = events
        self._world: World | None = None
        self._targets: dict[tuple[str, str], Target] = {}
        self._accounts: dict[str, tuple[str, str, str | None, Account]] = {}
        self._registrations: dict[str, Registration] = {}
        self._waiting: dict[str, Done] = {}  # key of a request -> who hears its answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: set[str] = set()  # keys of the REGISTERs that say so
        self._left = asyncio.Event()  # every carrier has heard that we go
        self._random = random.Random()  # noqa: S311 - spreads questions, guards nothing
        self._log = log.get("trunks")

    def start(self, world: World) -> None:
        self.reconfigure(world)
        self._timer = self._loop.call_later(0, self._tick)

    async def close(self) -> None:
        """Take our contacts back, as far as carriers answer in time."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        leaving = [one for one in self._registrations.values() if one.enrolment.leave() and one.hop is not None]
        for one in leaving:
            self._leave(one)
        if not self._leaving:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._left.wait()

    def reconfigure(self, world: World) -> None:
        """Take another configuration: what stays as it is keeps its state."""
        self._world = world
        now, wall = self._loop.time(), utc.now_ms()
        targets, registrations = {}, {}
        for trunk in world.config.trunk:
            self._renew_account(trunk.name, trunk.username, trunk.password, trunk.realm)
            uris = tuple(str(target.uri) for target in trunk.targets)
            for uri in uris:
                first = now + trunk.options_interval * (1 + FIRST_SPREAD * self._random.random())
                known = self._targets.get((trunk.name, uri))
                if known is None or known.interval_s != trunk.options_interval:
                    known = Target(trunk.name, uri, trunk.options_interval, first, wall)
                targets[trunk.name, uri] = known
            if trunk.register_ and trunk.username is not None and trunk.password is not None:
                account = self._accounts[trunk.name][3]
                made = Registration.of(trunk.name, trunk.username, trunk.password.get_secret_value(), uris, account)
                old = self._registrations.get(trunk.name)
                is_same = old is not None and (old.token, old.targets) == (made.token, made.targets)
                registrations[trunk.name] = old if is_same and old is not None else made
        for name, old in self._registrations.items():
            if registrations.get(name) is not old and old.enrolment.leave():
                self._leave(old)
        self._targets, self._registrations = targets, registrations
        self._accounts = {name: row for name, row in self._accounts.items() if name in world.trunks}
        self._note_down()

    # ---- what calls ask ----

    def account(self, trunk: str) -> Account | None:
        """What we prove ourselves with towards this trunk."""
        row = self._accounts.get(trunk)
        return row[3] if row is not None else None

    def service_routes(self, trunk: str) -> tuple[str, ...]:
        """The way the carrier wants our requests to go (RFC 3608), while we are registered there."""
        found = self._registrations.get(trunk)
        if found is None or not found.enrolment.granted_until(self._loop.time()):
            return ()
        return found.enrolment.routes

    def by_contact(self, user: str | None, host: str) -> str | None:
        """The trunk whose registration a call to this user part came in by, from its registrar's address."""
        if not user:
            return None
        for one in self._registrations.values():
            if one.token == user and host in one.hosts:
                return one.trunk
        return None

    def knows(self, host: str) -> bool:
        """Whether one of our registrars is there."""
        return any(host in one.hosts for one in self._registrations.values())

    def hear(self, event: RequestAnswered | RequestFailed) -> None:
        """What came of a request outside any session."""
        done = self._waiting.pop(event.key, None)
        if done is not None:
            done(event)

    def state(self, trunk: str) -> dict[str, Any]:
        """For control clients: `state` is up unless all targets are down or the registration does not stand."""
        targets = [one for one in self._targets.values() if one.trunk == trunk]
        shown: dict[str, Any] = {
            "targets": [
                {
                    "uri": one.uri,
                    "state": ("up" if one.is_up else "down") if one.interval_s else "not watched",
                    "since": utc.text_of(one.since),
                    "last_status": one.last_status or None,
                }
                for one in targets
            ]
        }
        is_up = not targets or any(one.is_up for one in targets)
        registration = self._registrations.get(trunk)
        shown["registration"] = None
        if registration is not None:
            enrolment, left = registration.enrolment, registration.enrolment.granted_until(self._loop.time())
            is_up = is_up and left > 0
            shown["registration"] = {
                "state": enrolment.standing.value,
                "registrar": registration.target,
                "expires_in": left,
                "last_status": enrolment.last_status or None,
                "last_error": enrolment.last_error or None,
            }
        return {"state": "up" if is_up else "down", **shown}

    # ---- what has to be done ----

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        now = self._loop.time()
        for target in self._targets.values():
            if target.due(now):
                target.is_pending = True
                self._spawn(self._ask(target), partial(self._heard, target, INTERNAL_ERROR))
        for registration in self._registrations.values():
            if registration.enrolment.due(now):
                registration.enrolment.is_pending = True
                self._spawn(
                    self._enrol(registration), partial(self._enrolment_over, registration, INTERNAL_ERROR, None)
                )

    def _spawn(self, work: Coroutine[Any, Any, None], fail: Callable[[], None]) -> None:
        """Do this beside all else; `fail` if we cannot, so that it is tried again in its time."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._settle, fail))

    def _settle(self, fail: Callable[[], None], task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._log.error("a trunk could not be looked after", exc_info=problem)
            fail()

    async def _hop(self, trunk: str, uri: str, turn: int) -> Hop | None:
        """A hop of a target, after a look-up if need be: the first one, and with each turn the next (RFC 3263 4.3)."""
        world = self._world
        if world is None or trunk not in world.trunks:
            return None
        side = world.trunks[trunk]
        hops = await self._locator.hops(uri, side.party.interface, side.tls_profile)
        return hops[turn % len(hops)] if hops else None

    async def _ask(self, target: Target) -> None:
        """OPTIONS: is it there?"""
        hop = await self._hop(target.trunk, target.uri, target.failures)
        world = self._world
        if hop is None or world is None or target.trunk not in world.trunks:
            self._heard(target, NOWHERE)
            return
        uri = Uri.parse(target.uri)
        key, actions = self._signalling.agent.request(
            method="OPTIONS",
            hop=hop,
            uri=uri,
            from_=NameAddr("", Uri(user=OURSELVES, host=world.trunks[target.trunk].party.policy.host)),
            to=NameAddr("", uri.with_(params=())),
            account=self.account(target.trunk),
            now=self._signalling.now(),
        )
        self._waiting[key] = lambda event: self._heard(target, _status_of(event))
        self._signalling.perform(actions)

    def _heard(self, target: Target, status: int) -> None:
        changed = target.heard(status, self._loop.time(), utc.now_ms())
        if changed is not None:
            self._note_down()
            self._tell(target.trunk, target.uri, f"OPTIONS: {status}", is_up=changed)

    def _note_down(self) -> None:
        self.down = frozenset(key for key, one in self._targets.items() if not one.is_up)

    # ---- registrations ----

    async def _enrol(self, registration: Registration) -> None:
        hop = await self._hop(registration.trunk, registration.target, registration.place // len(registration.targets))
        now = self._loop.time()
        if hop is None:
            self._enrolment_over(registration, NOWHERE, None)
            return
        actions = registration.send(self._signalling.agent, hop, now)
        self._waiting[registration.key] = lambda event: self._enrolment_over(
            registration, _status_of(event), event if isinstance(event, RequestAnswered) else None
        )
        self._signalling.perform(actions)

    def _enrolment_over(self, registration: Registration, status: int, answer: RequestAnswered | None) -> None:
        enrolment, now = registration.enrolment, self._loop.time()
        stood = enrolment.standing is Standing.REGISTERED
        failed_before = enrolment.standing is Standing.FAILED
        if answer is not None:
            enrolment.answered(answer.response, now, self._random.random())
        else:
            enrolment.failed(status, now, self._random.random())
        if status in ABSENT:
            registration.place += 1  # perhaps the next target, or its next hop, is a registrar that answers
        if enrolment.standing is Standing.REGISTERED and not stood:
            self._log.info("registered", trunk=registration.trunk, expires_s=enrolment.granted_until(now))
            self._tell(registration.trunk, registration.target, "registered", is_up=True)
        elif enrolment.standing is Standing.FAILED and not failed_before:
            reason = f"REGISTER: {enrolment.last_error}"
            self._tell(registration.trunk, registration.target, reason, is_up=False)

    def _leave(self, registration: Registration) -> None:
        if registration.hop is None:
            return
        actions = registration.send(self._signalling.agent, registration.hop, self._loop.time(), leave=True)
        self._left.clear()
        self._leaving.add(registration.key)
        self._waiting[registration.key] = self._heard_that_we_go
        self._signalling.perform(actions)

    def _heard_that_we_go(self, event: RequestAnswered | RequestFailed) -> None:
        self._leaving.discard(event.key)
        if not self._leaving:
            self._left.set()

    def _renew_account(self, trunk: str, username: str | None, password: Any, realm: str | None) -> None:
        """Keep the account, and the realm it has met, while nothing about it changes."""
        if username is None or password is None:
            self._accounts.pop(trunk, None)
            return
        secret = password.get_secret_value()
        old = self._accounts.get(trunk)
        if old is None or old[:3] != (username, secret, realm):
            self._accounts[trunk] = (username, secret, realm, Account(username, secret, realm))

    def _tell(self, trunk: str, target: str, reason: str, *, is_up: bool) -> None:
        world = self._world
        tenant = world.trunks[trunk].tenant if world is not None and trunk in world.trunks else None
        if is_up:
            self._events.emit("trunk.up", tenant=tenant, trunk=trunk, target=target, reason=reason)
        else:
            self._events.emit("trunk.down", tenant=tenant, trunk=trunk, target=target, reason=reason)
        self._log.warning("trunk", trunk=trunk, target=target, state="up" if is_up else "down", reason=reason)


def _status_of(event: RequestAnswered | RequestFailed) -> int:
    return event.response.status if isinstance(event, RequestAnswered) else event.status
