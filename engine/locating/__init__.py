"""Finding the servers behind names: `sip.locating` decides, this asks the name system and remembers."""

from santral.engine.locating.locator import Locator

__all__ = ["Locator"]
