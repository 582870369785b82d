"""Queues, and the agents who answer them."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from santral.engine.config.fields import (
    CallQueueName,
    CustomName,
    DialKey,
    DialKeys,
    Endpoint,
    Label,
    Name,
    OpenHours,
    Remark,
    RingTime,
    Seconds,
    SkillLevel,
    Whole,
    Words,
    Yes,
)
from santral.engine.config.tables.base import Table
from santral.engine.config.tables.recording import RECORD, Record

MOST: Final = 10_000
Points = Annotated[Whole, Field(ge=-1000, le=1000), Words("integer, -1000 to 1000")]
Few = Annotated[Whole, Field(ge=1, le=MOST), Words(f"1 to {MOST}")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), Words("0 to 1")]


class ServiceLevelTable(Table):
    """What callers may expect of a queue, and how it is measured."""

    within: Seconds = Field(20, description="Seconds in which a caller should hear an agent.")
    target: Share = Field(0.8, description="Share of the callers for whom that should hold.")
    short_abandon: Seconds = Field(5, description="Who hangs up sooner is not counted as offered.")


class NeedTable(Table):
    """A skill that an agent must have. Several of one skill are a ladder: 5 for 30 s, then 3."""

    name: Name = Field(description="The skill.")
    level: SkillLevel = Field(1, description="Least level.")
    until: Seconds | None = Field(None, description="Seconds of waiting after which it is asked for no more.")


class OverflowTable(Table):
    """When a caller waits here no longer. All that is said must hold."""

    queue: CallQueueName | None = Field(
        None, description="The queue it goes on to, with its place in time; else as `queue.message` says."
    )
    message: CallQueueName | None = Field(None, description="Or the message that the caller leaves then.")
    after: Seconds = Field(0, description="Looked at when it has waited so many seconds; 0: when it comes.")
    position: Few | None = Field(None, description="Its position is higher than this; 1 is next.")
    expected_wait: Seconds | None = Field(None, description="It would have to wait longer than this yet.")
    service_level: Share | None = Field(None, description="The queue's share of late is below this.")

    @model_validator(mode="after")
    def _one_place(self) -> "OverflowTable":
        if self.queue is not None and self.message is not None:
            raise ValueError("leads to a queue or to a message, not to both")
        return self


class AnnounceTable(Table):
    """What callers are told while they wait; music stops for it."""

    first: Seconds = Field(15, description="Seconds of waiting before the first.")
    every: Annotated[Seconds, Field(ge=5), Words("seconds ≥ 5")] = Field(30, description="From one to the next.")
    position: Yes = Field(True, description="Say how many are before the caller.")
    wait: Yes = Field(False, description="Say how many minutes it will probably wait.")
    files: Annotated[tuple[Label, ...], Field(max_length=16)] = Field(
        (), description="Sound files, one each time, in turn."
    )


class CallbackTable(Table):
    """Callers may hang up and be called back when it would have been their turn."""

    key: DialKey = Field("1", description="The key that takes the offer.")
    offer_after: Seconds = Field(30, description="Seconds of waiting before it is offered.")
    offer_every: Annotated[Seconds | None, Field(ge=5)] = Field(
        None, description="Seconds from one offer to the next; left out: offered once."
    )
    offer: Annotated[Label | None, Remark("spoken by us")] = Field(None, description="Sound file of the offer.")
    thanks: Annotated[Label | None, Remark("spoken by us")] = Field(
        None, description="Sound file said when it is taken."
    )
    order: Literal["agent", "customer"] = Field("agent", description="Whose phone rings first.")
    attempts: Few = Field(3, description="How often a customer who does not answer is called.")
    retry_after: Seconds = Field(300, description="Seconds between these attempts.")
    ring_timeout: RingTime = Field(30, description="Seconds a customer's phone rings.")
    expires: Annotated[Seconds, Field(gt=0), Words("seconds > 0")] = Field(
        14400, description="Seconds after which nobody is called back any more."
    )
    caller: Annotated[Label | None, Remark("the number that was called")] = Field(
        None, description="Number shown to the customer: one of the tenant's."
    )


class QueueTable(Table):
    """A queue: callers wait, agents are rung for them."""

    name: CallQueueName = Field(description="Name of the queue, unique on the node.")
    tenant: Name = Field(description="Whose it is.")
    strategy: Literal[
        "longest_idle",
        "fewest_calls",
        "least_talk_time",
        "round_robin",
        "random",
        "top_down",
        "ring_all",
        "ring_progressively",
        "skill_score",
    ] = Field("longest_idle", description="Which of the agents who are free is rung.")
    priority: Points = Field(0, description="Points of its callers against those of other queues.")
    answer: Literal["join", "agent"] = Field(
        "join",
        description="When callers are answered: as they come, or by the agent. Carriers end unanswered calls after "
        "90 s to 3 min, and music is heard by answered callers only.",
    )
    hours: tuple[OpenHours, ...] = Field((), description="Takes callers only at these times; any of them is enough.")
    at_close: Literal["serve", "send_away"] = Field(
        "serve",
        description="Those who wait when it closes are served yet, or sent to the next destination.",
    )
    join_when: Literal["always", "logged_in", "available"] = Field(
        "always",
        description="Takes callers always, or only while agents are logged in (on a break, too), or not on a break "
        "(busy ones count).",
    )
    leave_when_empty: Yes = Field(
        False, description="Those who wait go on to the next destination with the last agent."
    )
    max_waiting: Few | None = Field(None, description="Callers at once; the next go on to the next destination.")
    max_wait: Annotated[Seconds | None, Field(gt=0)] = Field(
        None, description="Seconds after which a caller goes on to the next destination."
    )
    overflow: tuple[OverflowTable, ...] = Field((), max_length=16, description="Further rules for going on.")
    message: Annotated[CallQueueName | None, Remark("they go on to the next destination")] = Field(
        None,
        description="The message that callers leave who get no agent: the queue is closed, full or empty, they have "
        "waited for `max_wait`, or a rule of `overflow` names nothing else. A destination's `timeout` and `exit_keys` "
        "lead to the next destination in any case.",
    )
    message_keys: DialKeys = Field("", description="Keys with which callers leave that message.")
    ring_timeout: RingTime = Field(20, description="Seconds an agent is rung.")
    retry_delay: Seconds = Field(5, description="Seconds an agent is left alone who did not answer, or refused.")
    wrap_up: Seconds = Field(
        0, description="Seconds an agent is left alone after a call, unless the agent says another."
    )
    ring_limit: Few = Field(20, description="`ring_all`, `ring_progressively`: agents rung at once.")
    ring_every: Seconds = Field(5, description="`ring_progressively`: seconds before one more is rung.")
    tier_wait: Seconds = Field(0, description="Seconds of waiting for each further tier; 0: tiers only order.")
    skills: tuple[NeedTable, ...] = Field((), max_length=16, description="Skills that its agents must have.")
    prefer: Annotated[dict[CustomName, SkillLevel], Words("table of weights 1 to 10")] = Field(
        default_factory=dict, max_length=16, description="`skill_score`: skills that count, and how much."
    )
    record: Record | None = Field(None, description=RECORD)
    sticky: Seconds = Field(
        0, description="Seconds for which the agent a caller last spoke to is waited for; 0: any agent at once."
    )
    release_reserved: Annotated[Seconds | None, Field(gt=0)] = Field(
        None,
        description="Seconds of waiting after which agents kept for more points (`min_priority`) are rung, too.",
    )
    service_level: ServiceLevelTable = Field(
        default_factory=ServiceLevelTable, description="What callers may expect, for statistics."
    )
    music: Annotated[Label | None, Remark("hold music of the tenant")] = Field(
        None, description="Sound file that callers hear."
    )
    announce: AnnounceTable | None = Field(None, description="What callers are told meanwhile.")
    callback: CallbackTable | None = Field(None, description="Offer to call back.")
    exit_keys: DialKeys = Field("", description="Keys with which callers go on to the next destination.")
    whisper: Annotated[tuple[Label, ...], Field(max_length=4)] = Field(
        (), description="Sound files that the agent alone hears before the caller: the queue's name."
    )

    @field_validator("overflow", "skills", mode="before")
    @classmethod
    def _one_is_enough(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value


class ScheduleTable(Table):
    """When agents are due, for their adherence in statistics. Nobody is logged in or out by it."""

    name: CallQueueName = Field(description="Name of the schedule, unique on the node.")
    tenant: Name = Field(description="Whose it is.")
    work: Annotated[tuple[OpenHours, ...], Field(min_length=1, max_length=64)] = Field(
        description="Hours in which its agents are to be at work; any of them is enough."
    )
    breaks: Annotated[tuple[OpenHours, ...], Field(max_length=64)] = Field(
        (), description="Parts of these hours in which they are to be on a break, or gone."
    )


class MembershipTable(Table):
    """A queue that an agent answers."""

    queue: CallQueueName = Field(description="The queue.")
    priority: Points = Field(0, description="Points this agent gives the callers of that queue.")
    tier: Annotated[Whole, Field(ge=1, le=100), Words("1 to 100")] = Field(1, description="Lower tiers are rung first.")
    position: Annotated[Whole, Field(ge=1, le=MOST), Words(f"1 to {MOST}")] = Field(
        1, description="`top_down`: order inside the tier."
    )
    min_priority: Points = Field(-1000, description="Only callers with at least so many points.")


class AgentTable(Table):
    """Somebody who answers queues."""

    name: CallQueueName = Field(description="Name of the agent, unique on the node.")
    tenant: Name = Field(description="Whose it is.")
    endpoint: Endpoint = Field(
        description="The phone: a user, an address inside `sip.dial_networks`, a number on a trunk."
    )
    queues: Annotated[tuple[MembershipTable, ...], Words("list of names or tables")] = Field(
        (), max_length=200, description="The queues."
    )
    skills: Annotated[dict[CustomName, SkillLevel], Words("table of levels 1 to 10")] = Field(
        default_factory=dict, max_length=50, description="Skills, 10 the best."
    )
    wrap_up: Annotated[Seconds | None, Remark("that of the queue")] = Field(
        None, description="Seconds the agent is left alone after a call."
    )
    auto_pause: Annotated[Whole, Field(ge=0, le=100), Words("0 to 100")] = Field(
        3, description="Set to not answering after so many offers in a row unanswered or refused; 0: never."
    )
    capacity: Annotated[dict[CustomName, Few], Words("table of numbers")] = Field(
        default_factory=lambda: {"call": 1}, max_length=16, description="How many of each kind of work at once."
    )
    mixes: Yes = Field(False, description="May have work of several kinds at once.")
    connection: Literal["on_demand", "auto_answer", "persistent"] = Field(
        "on_demand",
        description="How its audio is opened: its phone rings, and answering accepts; its phone is told to answer by "
        'itself; it stays on the line, by a call to `{ agent = "stay" }`.',
    )
    auto_accept: Yes = Field(
        False, description="Other than `on_demand`: takes what is offered at once, without `agent.accept`."
    )
    confirm: DialKey | None = Field(
        None, description="Accepted only when this key is pressed after the answer: a voicemail presses none."
    )
    confirm_sound: Annotated[Label | None, Remark("spoken by us")] = Field(
        None, description="Sound file that asks for it."
    )
    interface: Annotated[Name | None, Remark("the default one")] = Field(
        None, description="Network of a `sip:` endpoint."
    )
    schedule: Annotated[CallQueueName | None, Remark("none: no adherence")] = Field(
        None, description="The schedule by which the agent works."
    )
    logged_in: Yes = Field(False, description="Is there from the first start on, until it logs out.")

    @field_validator("queues", mode="before")
    @classmethod
    def _names_are_enough(cls, value: Any) -> Any:
        return [{"queue": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value
