"""Who is recorded, and how: the configuration as values, and the decisions made from them. No clock, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from santral.engine.config import Config
from santral.engine.config.convert import home_numbering
from santral.engine.config.sounds import Sound, find_speech
from santral.engine.config.tables.recording import OverLimit, Record
from santral.routing.plan import CallFacts, DialTrunk, Plan

Demander = Literal["queue", "route", "number", "trunk", "tenant", "command", "message"]
Start = Literal["start", "answer", "bridge"]
OnHold = Literal["record", "silence", "skip"]
Channels = Literal["mono", "stereo"]
Digits = Literal["tones", "silence"]
ORDER: Final[tuple[Demander, ...]] = ("queue", "route", "number", "trunk", "tenant")  # the first that speaks decides


@dataclass(frozen=True, slots=True)
class Manner:
    """How the calls of one tenant are recorded. `limit`: recordings at once."""

    channels: Channels = "stereo"
    format: str = "wav"
    extras: frozenset[str] = frozenset()
    record_from: Start = "answer"
    on_hold: OnHold = "record"
    masks_digits: bool = False
    digits: Digits = "tones"
    announcement: Sound | None = None
    beep_s: float = 0.0
    limit: int = 10
    over_limit: OverLimit = "refuse"
    retention_days: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """A call is to be recorded: by whose word, with how many channels."""

    by: Demander
    channels: Channels


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration says of recordings."""

    manners: Mapping[str, Manner] = field(default_factory=dict)  # by tenant
    tenants: Mapping[str, Record] = field(default_factory=dict)  # those that say something, as below
    trunks: Mapping[tuple[str, str], Record] = field(default_factory=dict)  # by tenant and name
    numbers: Mapping[tuple[str, str], Record] = field(default_factory=dict)
    routes: Mapping[str, Record] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config) -> "Policy":
        numbers: dict[tuple[str, str], Record] = {}
        for row in config.number:
            if row.record is not None:
                home = home_numbering(config.tenants[row.tenant].country)
                for number in (row.number, home.read(row.number)):
                    numbers[row.tenant, number] = row.record
        return cls(
            manners={tenant.name: _manner(config, tenant.name) for tenant in config.tenant},
            tenants={one.name: one.record for one in config.tenant if one.record is not None},
            trunks={(one.tenant, one.name): one.record for one in config.trunk if one.record is not None},
            numbers=numbers,
            routes={one.name: one.record for one in config.route if one.record is not None},
        )

    def words(self, facts: CallFacts, plan: Plan) -> dict[Demander, Record]:
        """What route, number, trunk and tenant of a call say, all of one tenant. Of numbers the one that is called, or
        the own one that somebody calls out with; of trunks the one it came in on, else the first of the plan's.
        """
        tenant, ours = plan.tenant, facts.caller if facts.user or facts.is_own else ""
        trunks = (facts.source, *(one.trunk for one in plan.attempts if isinstance(one, DialTrunk)))
        said: dict[Demander, Record | None] = {
            "route": self.routes.get(plan.route or ""),
            "number": self.numbers.get((tenant, facts.called)) or self.numbers.get((tenant, ours)),
            "trunk": next((self.trunks[tenant, name] for name in trunks if (tenant, name) in self.trunks), None),
            "tenant": self.tenants.get(tenant),
        }
        return {who: word for who, word in said.items() if word is not None}


def decide(words: Mapping[Demander, Record]) -> Demand | None:
    """Whether the call is recorded: as the most specific of those that say something says."""
    for who in ORDER:
        word = words.get(who)
        if word is not None:
            return None if word == "off" else Demand(who, word)
    return None


def _manner(config: Config, name: str) -> Manner:
    table, tenant = config.recording, config.tenants[name]
    days = tenant.recording_retention_days
    return Manner(
        channels=table.channels,
        format=table.format,
        extras=frozenset(table.extras),
        record_from=table.record_from,
        on_hold=table.on_hold,
        masks_digits=table.mask_dtmf,
        digits=table.digits,
        announcement=None
        if table.announcement is None
        else find_speech(table.announcement, tenant.sounds, tenant.language),
        beep_s=table.beep,
        limit=tenant.recording_limit or table.limit,
        over_limit=tenant.over_limit or table.over_limit,
        retention_days=table.retention_days if days is None else days,
    )
