"""Decisions about calls as values: who calls, which route fits, what to dial. No clock, no I/O, no randomness."""
