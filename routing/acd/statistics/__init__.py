"""Figures of queues, agents and tenants: one fold over the event log, live and in replay."""

from santral.routing.acd.statistics.figures import AgentFigures, QueueFigures, Shift
from santral.routing.acd.statistics.fold import Statistics

__all__ = ["AgentFigures", "QueueFigures", "Shift", "Statistics"]
