"""Peers by other people, driven headless on loopback: phones, proxies, SIPp. They keep our own phones honest."""
