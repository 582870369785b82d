"""The configuration: one TOML file, checked as a whole before anything changes."""

from santral.engine.config.load import find, load, loads
from santral.engine.config.model import Config
from santral.engine.config.problems import ConfigError, Problem
from santral.engine.config.reload import changes_needing_restart

__all__ = ["Config", "ConfigError", "Problem", "changes_needing_restart", "find", "load", "loads"]
