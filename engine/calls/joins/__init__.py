"""What legs are joined to: each other, or the engine itself."""

from santral.engine.calls.joins.bridge import Bridge
from santral.engine.calls.joins.endpoint import Endpoint, hear_alone
from santral.engine.calls.joins.join import Join

__all__ = ["Bridge", "Endpoint", "Join", "hear_alone"]
