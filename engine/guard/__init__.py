"""Who is let near: bans, scanners, strangers, rates, and the proof of who somebody is."""

from santral.engine.guard.guard import Guard

__all__ = ["Guard"]
