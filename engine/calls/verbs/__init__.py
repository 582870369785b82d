"""What control clients may ask of a call that stands."""

from santral.engine.calls.verbs.verbs import Verbs

__all__ = ["Verbs"]
