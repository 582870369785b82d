"""What the engine keeps up with its trunks: registrations with carriers, and which targets are there."""

from santral.engine.trunks.trunks import Trunks

__all__ = ["Trunks"]
