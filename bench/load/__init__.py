"""Load: thousands of SIP calls and RTP legs from one process, caller and callee at once."""
