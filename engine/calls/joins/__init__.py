"""What legs are joined to: each other, the engine itself, or a conference."""

from santral.engine.calls.joins.attendance import Attendance
from santral.engine.calls.joins.bridge import Bridge
from santral.engine.calls.joins.endpoint import Endpoint, hear_alone
from santral.engine.calls.joins.join import Join
from santral.engine.calls.joins.lent import Lent, OnLoan, bridge_of

__all__ = ["Attendance", "Bridge", "Endpoint", "Join", "Lent", "OnLoan", "bridge_of", "hear_alone"]
