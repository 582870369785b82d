"""The only part of `sip` with sockets: bytes between the network and the user agent. No SIP is decided here."""

from santral.sip.transport.transports import Listener, Transports

__all__ = ["Listener", "Transports"]
