"""What is done to samples between codecs: rates, losses, length, level, sums. Caller-owned state, nothing allocated."""
