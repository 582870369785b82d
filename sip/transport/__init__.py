"""The only part of `sip` with sockets: bytes between the network and the user agent. No SIP is decided here."""

from santral.sip.transport.tls import Certificate, Keyring, TlsError, TlsSettings
from santral.sip.transport.transports import Transports
from santral.sip.transport.wire import Listener

__all__ = ["Certificate", "Keyring", "Listener", "TlsError", "TlsSettings", "Transports"]
