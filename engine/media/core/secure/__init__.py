"""Encrypted media: libsrtp called from the media thread."""
