"""Locating SIP servers (RFC 3263) without asking anybody: questions to the name system out, places to try in order."""

from santral.sip.locating.records import Answers, Naptr, Question, Records, Srv, order_services
from santral.sip.locating.search import DEFAULT_PORTS, Network, Place, Search, address_version, is_within, search

__all__ = [
    "DEFAULT_PORTS",
    "Answers",
    "Naptr",
    "Network",
    "Place",
    "Question",
    "Records",
    "Search",
    "Srv",
    "address_version",
    "is_within",
    "order_services",
    "search",
]
