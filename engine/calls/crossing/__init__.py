"""What crosses from one leg to the other: names, numbers and headers, as the two sides' policies allow. Pure functions.

Nothing crosses by itself: every header of an outgoing message is made here or by the SIP stack for that leg alone.
"""

from santral.engine.calls.crossing.incoming import Presented, diverted, presented, reasons
from santral.engine.calls.crossing.outgoing import Crossing, Outbound, connected, early_media, invite, user_to_user
from santral.engine.calls.crossing.policy import STRANGER, Policy
from santral.engine.calls.crossing.rules import HeaderRule

__all__ = [
    "STRANGER",
    "Crossing",
    "HeaderRule",
    "Outbound",
    "Policy",
    "Presented",
    "connected",
    "diverted",
    "early_media",
    "invite",
    "presented",
    "reasons",
    "user_to_user",
]
