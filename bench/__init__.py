"""Load generator, benchmarks and demo. Peers here share no code with the engine: a fault cannot hide at both ends."""
