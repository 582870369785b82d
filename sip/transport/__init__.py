"""The only part of `sip` with sockets: bytes between the network and the user agent. No SIP is decided here."""

from santral.sip.transport.tls import Keyring, TlsError, TlsSettings, context_for_server
from santral.sip.transport.transports import Transports
from santral.sip.transport.wire import Listener

__all__ = ["Keyring", "Listener", "TlsError", "TlsSettings", "Transports", "context_for_server"]
