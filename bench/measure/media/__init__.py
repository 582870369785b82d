"""Benchmarks of the media plane alone, without calls."""
