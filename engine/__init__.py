"""The daemon: calls, configuration, control socket, events, records, command line.

Nobody of ours imports it but `bench`, `examples` and `tests`. Kept empty: the decoder process loads it, too.
"""
