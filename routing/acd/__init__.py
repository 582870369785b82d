"""Automatic call distribution as decisions: facts and `now` in, events out. No clock, no I/O, no chance of its own."""
