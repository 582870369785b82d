"""SIP and SDP rules without I/O: bytes and `now` in, actions and a next deadline out (RFC 3261, 3264, 3581, 6026).

Nothing in this room reads a clock, opens a socket (but `sip.transport`) or draws a random number: they come in as
arguments.
"""
