"""From the configuration to what the distributor decides on, and to the manner in which the engine carries it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from santral.engine.config.convert import aor_of
from santral.engine.config.model import Config
from santral.engine.config.sounds import Sound, find_sound, find_speech
from santral.engine.config.tables.queues import AgentTable, QueueTable
from santral.engine.config.tables.recording import Record
from santral.engine.config.tables.routes import TenantTable
from santral.engine.config.values import AgentEndpoint
from santral.routing.acd import settings as acd
from santral.routing.acd.statistics import Schedule
from santral.routing.hours import Hours

MESSAGE: Final = "message:"  # before the name of one, where a queue could stand: names have no colon
HOLD_MUSIC: Final = "hold-music.wav"  # a tenant's own, else the embedded one


@dataclass(frozen=True, slots=True)
class Announcing:
    """What callers are told."""

    position: bool
    wait: bool
    files: tuple[Sound, ...]


@dataclass(frozen=True, slots=True)
class CallingBack:
    """How callers are offered to be called back, and then are."""

    key: str
    offer: tuple[Sound, ...]
    thanks: Sound
    expires_s: float
    ring_s: float
    caller: str | None


@dataclass(frozen=True, slots=True)
class QueueManner:
    """One queue as calls meet it."""

    name: str
    tenant: str
    answers: bool  # callers are answered as they come
    hours: tuple[Hours, ...]
    music: Sound
    whisper: tuple[Sound, ...]
    exit_keys: str
    message: str  # that callers leave who get no agent; none: the next destination
    message_keys: str
    sticky_s: float
    record: Record | None
    announcing: Announcing | None
    calling_back: CallingBack | None


@dataclass(frozen=True, slots=True)
class AgentManner:
    """One agent as calls meet it. `aor` where its phone is a user's."""

    name: str
    tenant: str
    endpoint: AgentEndpoint
    aor: str
    connection: str
    auto_accept: bool
    confirm: str
    prompt: tuple[Sound, ...]
    interface: str
    logged_in: bool
    room: int  # for things in hand at once

    @property
    def place(self) -> str:
        """Its phone, as legs to and from it are counted."""
        return self.aor or str(self.endpoint)


@dataclass(frozen=True, slots=True)
class Acd:
    """All that is configured of queues."""

    settings: acd.Settings
    queues: Mapping[str, QueueManner]
    agents: Mapping[str, AgentManner]
    schedules: Mapping[str, Schedule]  # of agents who have one

    def room_of(self, agent: str) -> int:
        """How much an agent may have in hand at once; 0 when there is no such agent."""
        found = self.agents.get(agent)
        return 0 if found is None else found.room

    @classmethod
    def of(cls, config: Config) -> "Acd":
        """Raises ValueError for a configuration that was not checked."""
        return cls(
            settings=acd.Settings(
                tuple(_queue(one) for one in config.queue), tuple(_agent(one) for one in config.agent)
            ),
            queues={one.name: _queue_manner(config, one) for one in config.queue},
            agents={one.name: _agent_manner(config, one) for one in config.agent},
            schedules=_schedules(config),
        )


def embedded(name: str, tenant: TenantTable) -> Sound:
    """A sound of ours in the tenant's language; its own of the same name, where it has one."""
    return find_speech(name, tenant.sounds, tenant.language)


def place(queue: str | None, message: str | None) -> str | None:
    """Where somebody goes on to, as the distributor keeps it and events show it."""
    return queue if queue is not None or message is None else f"{MESSAGE}{message}"


def message_in(to: str | None) -> str | None:
    """The message such a place is; None for a queue, and for the next destination."""
    return to.removeprefix(MESSAGE) if to is not None and to.startswith(MESSAGE) else None


def _schedules(config: Config) -> dict[str, Schedule]:
    named = {one.name: Schedule(one.name, one.work, one.breaks) for one in config.schedule}
    return {one.name: named[one.schedule] for one in config.agent if one.schedule is not None}


def _queue(row: QueueTable) -> acd.QueueSettings:
    level, back = row.service_level, row.callback
    return acd.QueueSettings(
        name=row.name,
        tenant=row.tenant,
        strategy=acd.Strategy(row.strategy),
        priority=row.priority,
        ring_timeout=row.ring_timeout,
        retry_delay=row.retry_delay,
        wrap_up=row.wrap_up,
        ring_limit=row.ring_limit,
        ring_every=row.ring_every,
        needs=tuple(acd.Need(one.name, one.level, one.until) for one in row.skills),
        wishes=tuple(acd.Wish(skill, weight) for skill, weight in row.prefer.items()),
        tier_wait=row.tier_wait,
        release_reserved=row.release_reserved,
        max_waiting=row.max_waiting,
        max_wait=row.max_wait,
        join_when=acd.JoinWhen(row.join_when),
        leave_when_empty=row.leave_when_empty,
        at_close=acd.AtClose(row.at_close),
        turned_away_to=place(None, row.message),
        service_level=acd.ServiceLevel(level.within, level.target, level.short_abandon),
        overflow=tuple(
            acd.OverflowRule(
                place(one.queue, one.message or row.message),
                one.after,
                one.position,
                one.expected_wait,
                one.service_level,
            )
            for one in row.overflow
        ),
        announce=None if row.announce is None else acd.Announcements(row.announce.first, row.announce.every),
        callback=None
        if back is None
        else acd.CallbackSettings(
            back.offer_after,
            back.offer_every,
            acd.DialFirst(back.order),
            back.attempts,
            back.retry_after,
            back.ring_timeout,
        ),
    )


def _agent(row: AgentTable) -> acd.AgentSettings:
    return acd.AgentSettings(
        name=row.name,
        tenant=row.tenant,
        skills=dict(row.skills),
        memberships=tuple(
            acd.Membership(one.queue, one.priority, one.tier, one.position, one.min_priority) for one in row.queues
        ),
        capacity=dict(row.capacity),
        mixes=row.mixes,
        wrap_up=row.wrap_up,
        auto_pause=row.auto_pause,
    )


def _queue_manner(config: Config, row: QueueTable) -> QueueManner:
    tenant = config.tenants[row.tenant]

    def sound(name: str) -> Sound:
        return find_sound(name, tenant.sounds, tenant.language)

    told, back = row.announce, row.callback
    return QueueManner(
        name=row.name,
        tenant=row.tenant,
        answers=row.answer == "join",
        hours=row.hours,
        music=sound(row.music or HOLD_MUSIC),
        whisper=tuple(sound(one) for one in row.whisper),
        exit_keys=row.exit_keys,
        message=row.message or "",
        message_keys=row.message_keys,
        sticky_s=row.sticky,
        record=row.record,
        announcing=None if told is None else Announcing(told.position, told.wait, tuple(map(sound, told.files))),
        calling_back=None
        if back is None
        else CallingBack(
            key=back.key,
            offer=(sound(back.offer),) if back.offer else _spoken(tenant, "callback-offer", back.key),
            thanks=sound(back.thanks) if back.thanks else embedded("callback-thanks.wav", tenant),
            expires_s=back.expires,
            ring_s=back.ring_timeout,
            caller=back.caller,
        ),
    )


def _spoken(tenant: TenantTable, name: str, key: str) -> tuple[Sound, ...]:
    """One of our sentences, and the key it ends with."""
    said = {"*": "star", "#": "hash"}.get(key, key)
    return (embedded(f"{name}.wav", tenant), embedded(f"number-{said}.wav", tenant))


def _agent_manner(config: Config, row: AgentTable) -> AgentManner:
    tenant, end = config.tenants[row.tenant], row.endpoint
    prompt: tuple[Sound, ...] = ()
    if row.confirm is not None:
        own = row.confirm_sound
        prompt = (
            (find_sound(own, tenant.sounds, tenant.language),) if own else _spoken(tenant, "agent-confirm", row.confirm)
        )
    user = next(
        (one for one in config.user if end.kind == "user" and (one.name, one.tenant) == (end.name, row.tenant)), None
    )
    return AgentManner(
        name=row.name,
        tenant=row.tenant,
        endpoint=end,
        aor="" if user is None else aor_of(config, user),
        connection=row.connection,
        auto_accept=row.auto_accept,
        confirm=row.confirm or "",
        prompt=prompt,
        interface=row.interface or "",
        logged_in=row.logged_in,
        room=sum(row.capacity.values()) if row.mixes else max(row.capacity.values(), default=0),
    )
