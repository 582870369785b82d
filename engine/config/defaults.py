"""What `santral serve` runs without a file: loopback only, and an echo test on 9196."""

from typing import Final

EMBEDDED: Final = """\
[sip]
listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]

[[tenant]]
name = "local"

[[trunk]]
name = "local"
tenant = "local"
accept_from = ["127.0.0.0/8"]

[[route]]
name = "echo-test"
from_trunk = "local"
called = "9196"
destinations = [{ echo = true }]
"""
