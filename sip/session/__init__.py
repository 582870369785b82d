"""INVITE sessions and subscriptions: the usages of dialogs (RFC 5057)."""

from santral.sip.session.base import Usage
from santral.sip.session.moment import Moment
from santral.sip.session.session import Session
from santral.sip.session.subscription import Subscription
from santral.sip.session.values import Replaces, sipfrag_status
from santral.sip.session.watch import SessionTimer

__all__ = ["Moment", "Replaces", "Session", "SessionTimer", "Subscription", "Usage", "sipfrag_status"]
