"""Lists the calls of a running engine, then follows what they do: python examples/control.py data/control.sock"""

import socket
import sys

import msgpack

engine, messages = socket.socket(socket.AF_UNIX), msgpack.Unpacker()
engine.connect(sys.argv[1])
for number, method, params in [(1, "call.list", {}), (2, "events.subscribe", {"types": ["call.*"]})]:
    engine.sendall(msgpack.packb([0, number, method, [params]]))
while received := engine.recv(65536):
    messages.feed(received)
    for message in messages:
        print(*message, flush=True)
