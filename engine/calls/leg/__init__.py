"""One leg of a call: its SIP, its descriptions, and the happenings it tells."""

from santral.engine.calls.leg.leg import DTMF_RELAY, Leg, q850_of
from santral.engine.calls.leg.model import (
    NOT_ACCEPTABLE,
    REQUEST_PENDING,
    HeaderLines,
    Line,
    News,
    Party,
    Role,
    Times,
    sure,
)
from santral.engine.calls.leg.referral import Referral

__all__ = [
    "DTMF_RELAY",
    "NOT_ACCEPTABLE",
    "REQUEST_PENDING",
    "HeaderLines",
    "Leg",
    "Line",
    "News",
    "Party",
    "Referral",
    "Role",
    "Times",
    "q850_of",
    "sure",
]
