"""Peers by other people, driven headless on loopback: SIPp and baresip. They keep our own phones honest."""
