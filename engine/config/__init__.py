"""The configuration: one TOML file, checked as a whole before anything changes."""
