"""Peers by other people, driven headless on loopback: SIPp, baresip, linphone, Kamailio, sippy. They keep ours honest."""
