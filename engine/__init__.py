"""The daemon: calls, configuration, control socket, events, records, command line. Nobody of ours imports it but bench and tests."""
