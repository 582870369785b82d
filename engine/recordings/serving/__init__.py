"""Fetching recordings: signed URLs, byte ranges, files that are finished and files that still grow."""
