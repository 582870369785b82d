"""A small SIP phone: what the demo's callers and callees are made of. Shares no protocol code with the engine."""
