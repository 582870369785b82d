"""Call distribution, measured: how fast it decides, and whether its waiting times are those of theory."""
