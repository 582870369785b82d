"""The registrar as the engine runs it: users' phones, where they are, and how they stay reachable."""

from santral.engine.registration.registrations import Registrations

__all__ = ["Registrations"]
