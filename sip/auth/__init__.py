"""Digest authentication (RFC 7616, RFC 8760; peers of RFC 2617): the values, the server's side and the client's."""
