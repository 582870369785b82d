"""Automatic call distribution as the engine carries it out; what is decided is decided in `routing/acd/`."""
