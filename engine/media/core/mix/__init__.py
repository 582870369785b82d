"""Conferences: jitter buffers, and rooms mixed on a 20 ms tick."""
