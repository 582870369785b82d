"""What a node has sent and received, for people: ladders of calls, pcap files, a HEP collector. Secrets never leave."""

from santral.engine.trace.hep import Sender
from santral.engine.trace.ladder import Ladder
from santral.engine.trace.pcap import pcap
from santral.engine.trace.trace import Reception, Trace, TraceSettings

__all__ = ["Ladder", "Reception", "Sender", "Trace", "TraceSettings", "pcap"]
