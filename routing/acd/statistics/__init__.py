"""Figures of queues, agents and tenants: one fold over the event log, live and in replay."""

from santral.routing.acd.statistics.figures import AgentFigures, QueueFigures
from santral.routing.acd.statistics.fold import Statistics
from santral.routing.acd.statistics.schedules import Schedule, Shift

__all__ = ["AgentFigures", "QueueFigures", "Schedule", "Shift", "Statistics"]
