"""The whole configuration: every table by its name, names exactly as in the file.

What each key means is said in `tables`, and `docs/configuration.md` is made from it. What needs a look at more than one
table is in `checks`.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Final

from pydantic import Field, PrivateAttr

from santral.engine.config.problems import Problem
from santral.engine.config.tables.base import DEFAULT_INTERFACE, Table
from santral.engine.config.tables.messages import MessageTable
from santral.engine.config.tables.node import (
    ControlTable,
    EngineTable,
    InterfaceTable,
    MetricsTable,
    RtpTable,
    SipTable,
    Token,
    TraceTable,
)
from santral.engine.config.tables.peers import HeaderTable, TargetTable, TrunkTable, UserTable
from santral.engine.config.tables.queues import (
    AgentTable,
    AnnounceTable,
    CallbackTable,
    MembershipTable,
    NeedTable,
    OverflowTable,
    QueueTable,
    ScheduleTable,
    ServiceLevelTable,
)
from santral.engine.config.tables.recording import RecordingTable, StoreTable
from santral.engine.config.tables.routes import ConferenceTable, DestinationTable, NumberTable, RouteTable, TenantTable


class Config(Table):
    """A whole configuration."""

    engine: EngineTable = Field(default_factory=EngineTable)
    control: ControlTable = Field(default_factory=ControlTable)
    metrics: MetricsTable | None = None
    trace: TraceTable = Field(default_factory=TraceTable)
    sip: SipTable = Field(default_factory=SipTable)
    rtp: RtpTable = Field(default_factory=RtpTable)
    recording: RecordingTable = Field(default_factory=RecordingTable)
    interface: tuple[InterfaceTable, ...] = ()
    tenant: tuple[TenantTable, ...] = ()
    trunk: tuple[TrunkTable, ...] = ()
    user: tuple[UserTable, ...] = ()
    number: tuple[NumberTable, ...] = ()
    conference: tuple[ConferenceTable, ...] = ()
    message: tuple[MessageTable, ...] = ()
    queue: tuple[QueueTable, ...] = ()
    schedule: tuple[ScheduleTable, ...] = ()
    agent: tuple[AgentTable, ...] = ()
    route: tuple[RouteTable, ...] = ()

    _source: str = PrivateAttr(default="")
    _warnings: tuple[Problem, ...] = PrivateAttr(default=())

    @cached_property
    def interfaces(self) -> Mapping[str, InterfaceTable]:
        """All networks by name; the one of [sip] and [rtp] is `default`, and is there if it listens anywhere."""
        found = {one.name: one for one in self.interface}
        if self.sip.listen:
            found[DEFAULT_INTERFACE] = InterfaceTable(
                name=DEFAULT_INTERFACE,
                sip=self.sip.listen,
                rtp=self.rtp.address,
                advertise=self.sip.advertise,
                local_net=self.sip.local_net,
            )
        return found

    def interface_of(self, trunk: TrunkTable | UserTable) -> InterfaceTable:
        """The network a trunk or user is reached by: the one it names, else the default one, else the only one."""
        if trunk.interface is not None:
            return self.interfaces[trunk.interface]
        return self.interfaces.get(DEFAULT_INTERFACE) or self.interfaces[self.interface[0].name]

    @property
    def source(self) -> str:
        """Where it was read from: a file name, or words for the embedded defaults."""
        return self._source

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed but probably not meant."""
        return self._warnings

    def remember(self, source: str, warnings: tuple[Problem, ...]) -> None:
        """Called once, by the reader."""
        self._source, self._warnings = source, warnings

    @cached_property
    def trunks(self) -> Mapping[str, TrunkTable]:
        return {one.name: one for one in self.trunk}

    @cached_property
    def tenants(self) -> Mapping[str, TenantTable]:
        return {one.name: one for one in self.tenant}


TABLES: Final[Mapping[str, type[Table]]] = {  # every table by its name in the file, in the order of the reference page
    "": Config,
    "engine": EngineTable,
    "control": ControlTable,
    "control.token": Token,
    "metrics": MetricsTable,
    "trace": TraceTable,
    "sip": SipTable,
    "rtp": RtpTable,
    "recording": RecordingTable,
    "recording.stores": StoreTable,
    "interface": InterfaceTable,
    "tenant": TenantTable,
    "trunk": TrunkTable,
    "trunk.targets": TargetTable,
    "trunk.header": HeaderTable,
    "user": UserTable,
    "number": NumberTable,
    "conference": ConferenceTable,
    "message": MessageTable,
    "queue": QueueTable,
    "queue.service_level": ServiceLevelTable,
    "queue.skills": NeedTable,
    "queue.overflow": OverflowTable,
    "queue.announce": AnnounceTable,
    "queue.callback": CallbackTable,
    "schedule": ScheduleTable,
    "agent": AgentTable,
    "agent.queues": MembershipTable,
    "route": RouteTable,
    "route.destinations": DestinationTable,
}
