"""Customers, and where their calls go: tenants, numbers, conferences, routes with their destinations."""

from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, model_validator

from santral.engine.config.fields import (
    CallQueueName,
    ConfigPath,
    Count,
    Country,
    CustomName,
    DialNumber,
    Domain,
    FullMatch,
    Label,
    Language,
    Name,
    NumberTemplate,
    OpenHours,
    Remark,
    RingTime,
    SkillLevel,
    Whole,
    Words,
    Yes,
)
from santral.engine.config.tables.base import Table
from santral.engine.config.tables.recording import RECORD, RETENTION, OverLimit, Record
from santral.routing.routes import RING_S


class TenantTable(Table):
    """A customer; calls, trunks and routes of one never meet another's unless shared."""

    name: Name = Field(description="Name of the tenant.")
    domain: Domain | None = Field(
        None, description="Domain of its users' addresses, `user@domain`, and the realm of their passwords."
    )
    country: Country | None = Field(
        None,
        description="Where its national numbers are at home: for `number_format` and its `[[number]]` rows; and whose "
        "tones its callers hear.",
    )
    sounds: ConfigPath | None = Field(
        None, description="Folder of its sound files; the embedded ones are there anyway."
    )
    language: Language | None = Field(
        None, description="Its language: a folder of this name inside `sounds` is looked into first."
    )
    international: Yes = Field(
        False, description="Calls made by command may go abroad; without a `country` all numbers are abroad."
    )
    premium: Yes = Field(False, description="Calls made by command may go to premium numbers.")
    max_duration: Count = Field(14400, description="Seconds after which a call is ended.")
    emergency: Annotated[tuple[DialNumber, ...], Remark("those of `country`")] = Field(
        (), description="Numbers people call for help. Users' calls to them take the emergency trunks, past all limits."
    )
    record: Record | None = Field(None, description=RECORD)
    recording_limit: Annotated[Count | None, Remark("`recording.limit`")] = Field(
        None, description="Its recordings at once."
    )
    over_limit: Annotated[OverLimit | None, Remark("`recording.over_limit`")] = Field(
        None, description="What becomes of its calls beyond that."
    )
    recording_store: Annotated[Name | None, Remark("`recording.store`")] = Field(
        None, description="Where its recordings are kept."
    )
    recording_key: Annotated[SecretStr | None, Words("text"), Remark("`recording.key`")] = Field(
        None, description="Its own keys, written as `recording.key`; or `recording_key_env`, or `recording_key_file`."
    )
    recording_retention_days: Annotated[
        Whole | None, Field(ge=0, le=36_500), Words("0 to 36500"), Remark("`recording.retention_days`")
    ] = Field(None, description=RETENTION)


class NumberTable(Table):
    """A number of ours."""

    number: DialNumber = Field(
        description="The number: `+` and country code, or as dialled in the tenant's country; other texts exactly."
    )
    tenant: Name = Field(description="Whose number it is.")
    route: Name = Field(description="The route its calls take; the route's filters must hold.")
    caller_name: Label | None = Field(None, description="Name shown for calls of its tenant from this number.")
    record: Record | None = Field(None, description=RECORD)


KINDS: Final = ("trunk", "user", "queue", "message", "conference", "agent", "echo", "play", "reject")  # of destinations


class DestinationTable(Table):
    """One destination of a route: exactly one of `trunk`, `user`, `queue`, `message`, `conference`, `agent`, `echo`,
    `play` and `reject`.
    """

    trunk: Name | None = Field(None, description="Dial on this trunk.")
    called: Annotated[NumberTemplate | None, Remark('`"{called}"`')] = Field(
        None, description="With `trunk`: the number to dial."
    )
    user: NumberTemplate | None = Field(
        None, description="Ring the phones of this user of the route's tenant; `{called}` and groups can be used."
    )
    queue: CallQueueName | None = Field(None, description="Wait in this queue of the route's tenant for an agent.")
    message: CallQueueName | None = Field(
        None, description="Answer, and have the caller leave this message of the route's tenant."
    )
    timeout: Annotated[RingTime | None, Remark(f"`{RING_S:g}`; in a queue as long as that lets callers wait")] = Field(
        None, description="With `trunk` or `user`: seconds of ringing before the next; with `queue` seconds of waiting."
    )
    points: Annotated[Whole | None, Field(ge=-1000, le=1000), Words("integer, -1000 to 1000"), Remark("`0`")] = Field(
        None, description="With `queue`: points of these callers against others; one is worth a minute of waiting."
    )
    skills: Annotated[dict[CustomName, SkillLevel] | None, Words("table of levels 1 to 10")] = Field(
        None, max_length=16, description="With `queue`: skills that the agent must have, beside those of the queue."
    )
    conference: NumberTemplate | None = Field(
        None, description="Answer and join this conference of the route's tenant; `{called}` and groups can be used."
    )
    agent: Literal["login", "logout", "pause", "resume", "toggle", "stay"] | None = Field(
        None,
        description="A feature code: the agent with the phone of the user who calls logs in or out, takes a break or "
        "ends it, is toggled between in and out, or stays on the line (`persistent`).",
    )
    echo: Literal[True] | None = Field(None, description="Answer and send back what is heard.")
    play: Label | None = Field(None, description="Answer, play this sound file, hang up.")
    reject: Annotated[Whole, Field(ge=400, le=699), Words("400 to 699")] | None = Field(
        None, description="Refuse with this SIP status."
    )
    priority: Whole | None = Field(
        None, ge=0, le=65535, description="Lower ones first. All of a route have one or none."
    )
    weight: Whole | None = Field(
        None, ge=0, le=65535, description="Share of the calls among the same priority; 0 comes last."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "DestinationTable":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            said = f"has {' and '.join(kinds)}" if kinds else "has none"
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}, and {said}")
        if self.trunk is None and self.called is not None:
            raise ValueError("called goes with trunk only")
        if self.trunk is None and self.user is None and self.queue is None and self.timeout is not None:
            raise ValueError("timeout goes with trunk, user and queue only")
        if self.queue is None and (self.points is not None or self.skills is not None):
            raise ValueError("points and skills go with queue only")
        return self


class ConferenceTable(Table):
    """A conference with a manner of its own; those without a table have the defaults."""

    name: Name = Field(description="Its name, as `conference` of a destination makes it. Unique in its tenant.")
    tenant: Name = Field(description="Whose it is.")
    max_members: Annotated[Whole, Field(ge=2, le=1000), Words("2 to 1000")] = Field(
        200, description="Legs at once; the next are refused."
    )
    muted_on_join: Yes = Field(False, description="Whoever comes is heard only after `conference.unmute`.")
    join_sound: Annotated[Label | None, Remark("a beep")] = Field(
        None,
        description="Sound file that everybody hears when somebody comes, but who only listens or whispers.",
    )
    leave_sound: Annotated[Label | None, Remark("a beep")] = Field(None, description="The same when somebody has gone.")
    silent: Yes = Field(False, description="No sounds when somebody comes or goes.")
    speakers: Yes = Field(False, description="Events tell who speaks. Two members are mixed then, too.")
    rate_hz: Literal[8000, 16000, 48000] = Field(
        8000, description="At which it is mixed: 16000 where members speak wideband (G.722), 48000 for Opus."
    )
    agc: Yes = Field(False, description="Bring whoever comes to one loudness.")


class RouteTable(Table):
    """Where calls go. Routes are tried in file order; all filters of one must hold."""

    name: Name = Field(description="Name of the route.")
    tenant: Annotated[Name | None, Remark("that of `from_trunk`")] = Field(None, description="Whose route it is.")
    from_trunk: Name | None = Field(None, description="Only calls from this trunk. Calls between trunks need it.")
    called: FullMatch | None = Field(None, description="Only calls to such numbers.")
    caller: FullMatch | None = Field(None, description="Only calls from such numbers.")
    hours: tuple[OpenHours, ...] = Field((), description="Only at these times; any of them is enough.")
    custom: Annotated[dict[CustomName, Label], Words("table of texts")] = Field(
        default_factory=dict, max_length=32, description="Put on its calls: in events, `call.get` and call records."
    )
    record: Record | None = Field(None, description=RECORD)
    destinations: tuple[DestinationTable, ...] = Field(min_length=1, max_length=32, description="Where calls go.")
