"""The control socket: MessagePack-RPC for tools, dashboards and applications."""
