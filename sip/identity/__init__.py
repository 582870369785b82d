"""Header values that say who calls, for whom, by whom it was diverted: parse and serialise with their limits."""
