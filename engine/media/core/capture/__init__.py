"""Captures of recorded calls: out of the rings of taps, into chunks, into files."""
