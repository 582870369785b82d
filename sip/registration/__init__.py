"""Registration as rules (RFC 3261 section 10): the registrar's bindings, and our own registration with a carrier."""
