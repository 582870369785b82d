"""The life of a subscription as one table, told and telling side (RFC 6665; REFER makes one too, RFC 3515).

A missing row means: ignore. `sip.session.subscription` performs what the rows say.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

__all__ = ["SUBSCRIPTION", "Act", "Standing", "Word"]


class Standing(StrEnum):
    """Where a subscription stands."""

    ASKED = "asked"  # notifier: their REFER or SUBSCRIBE waits for the owner
    TELLING = "telling"
    LEAVING = "leaving"  # they unsubscribed, or asked only once: one NOTIFY is owed
    LAST = "last"  # the last NOTIFY is on its way
    ASKING = "asking"  # subscriber: our REFER or SUBSCRIBE is unanswered
    TOLD = "told"
    QUITTING = "quitting"  # we unsubscribed: one NOTIFY is to come
    ENDED = "ended"


class Word(StrEnum):
    """What can happen to it."""

    ACCEPT = "accept()"
    ACCEPT_ONCE = "accept() of a SUBSCRIBE for 0 s"
    ACCEPT_ALONE = "accept() without a subscription"  # RFC 4488
    REJECT = "reject()"
    NOTIFY = "notify()"
    FINISH = "terminate()"
    RESUBSCRIBE = "resubscribe()"
    UNSUBSCRIBE = "unsubscribe()"
    GOT_SUBSCRIBE = "SUBSCRIBE"
    GOT_UNSUBSCRIBE = "SUBSCRIBE for 0 s"
    GOT_NOTIFY = "NOTIFY"
    GOT_LAST_NOTIFY = "NOTIFY: terminated"
    ACCEPTED = "2xx"
    ACCEPTED_ALONE = "2xx without a subscription"
    REFUSED = "300-699"
    GONE = "481, or silence"
    AGAIN = "refused, to be sent again"
    NOTIFIED = "NOTIFY answered"
    NOTIFY_NEXT = "NOTIFY answered, another waits"
    TIMER_REFRESH = "time to refresh"
    TIMER_END = "expired"


class Act(StrEnum):
    """What is done about it."""

    OK = "send 2xx"
    REFUSE = "send 300-699"
    OK_NOTIFY = "send 200 to NOTIFY"
    NOTIFY = "send NOTIFY, or keep it until the last one is answered"
    NOTIFY_TRYING = "send NOTIFY: 100, to a REFER"
    NOTIFY_TIMEOUT = "send NOTIFY: terminated, timeout"
    NEXT = "send the NOTIFY that was kept"
    SUBSCRIBE = "send SUBSCRIBE"
    AGAIN = "send it again, amended"
    ARM = "arm the end"
    ARM_PATIENCE = "arm 64*T1"
    STOP = "stop timers"
    CLOSE = "close"
    TELL_RESUBSCRIBED = "Resubscribed"
    TELL_ANSWERED = "SubscriptionAnswered"
    TELL_NOTIFIED = "Notified"
    TELL_LOCAL = "SubscriptionEnded: local"
    TELL_REJECTED = "SubscriptionEnded: rejected"
    TELL_TERMINATED = "SubscriptionEnded: terminated"
    TELL_EXPIRED = "SubscriptionEnded: expired"
    TELL_LOST = "SubscriptionEnded: lost"


_ASKED, _TELLING, _LEAVING, _LAST = Standing.ASKED, Standing.TELLING, Standing.LEAVING, Standing.LAST
_ASKING, _TOLD, _QUITTING, _ENDED = Standing.ASKING, Standing.TOLD, Standing.QUITTING, Standing.ENDED
_HEARD_LAST: Final = (Act.OK_NOTIFY, Act.TELL_NOTIFIED, Act.CLOSE)

# fmt: off
SUBSCRIPTION: Final[Mapping[tuple[Standing, Word], tuple[Standing, tuple[Act, ...]]]] = {
    # Notifier. The owner hears the end when it is decided; the last NOTIFY is repeated behind its back.
    (_ASKED, Word.ACCEPT):            (_TELLING,  (Act.OK, Act.ARM, Act.NOTIFY_TRYING)),
    (_ASKED, Word.ACCEPT_ONCE):       (_LEAVING,  (Act.OK, Act.ARM_PATIENCE)),
    (_ASKED, Word.ACCEPT_ALONE):      (_ENDED,    (Act.OK, Act.CLOSE, Act.TELL_LOCAL)),
    (_ASKED, Word.REJECT):            (_ENDED,    (Act.REFUSE, Act.CLOSE, Act.TELL_LOCAL)),
    (_ASKED, Word.TIMER_END):         (_ENDED,    (Act.CLOSE, Act.TELL_EXPIRED)),
    (_TELLING, Word.NOTIFY):          (_TELLING,  (Act.NOTIFY,)),
    (_TELLING, Word.FINISH):          (_LAST,     (Act.STOP, Act.NOTIFY, Act.TELL_LOCAL)),
    (_TELLING, Word.GOT_SUBSCRIBE):   (_TELLING,  (Act.OK, Act.ARM, Act.TELL_RESUBSCRIBED)),
    (_TELLING, Word.GOT_UNSUBSCRIBE): (_LEAVING,  (Act.OK, Act.ARM_PATIENCE, Act.TELL_RESUBSCRIBED)),
    (_TELLING, Word.NOTIFY_NEXT):     (_TELLING,  (Act.NEXT,)),
    (_TELLING, Word.AGAIN):           (_TELLING,  (Act.AGAIN,)),
    (_TELLING, Word.GONE):            (_ENDED,    (Act.CLOSE, Act.TELL_LOST)),
    (_TELLING, Word.TIMER_END):       (_LAST,     (Act.STOP, Act.NOTIFY_TIMEOUT, Act.TELL_EXPIRED)),
    (_LEAVING, Word.NOTIFY):          (_LAST,     (Act.STOP, Act.NOTIFY, Act.TELL_TERMINATED)),
    (_LEAVING, Word.FINISH):          (_LAST,     (Act.STOP, Act.NOTIFY, Act.TELL_TERMINATED)),
    (_LEAVING, Word.NOTIFY_NEXT):     (_LEAVING,  (Act.NEXT,)),
    (_LEAVING, Word.AGAIN):           (_LEAVING,  (Act.AGAIN,)),
    (_LEAVING, Word.GONE):            (_ENDED,    (Act.CLOSE, Act.TELL_LOST)),
    (_LEAVING, Word.TIMER_END):       (_LAST,     (Act.STOP, Act.NOTIFY_TIMEOUT, Act.TELL_EXPIRED)),
    (_LAST, Word.NOTIFY_NEXT):        (_LAST,     (Act.NEXT,)),
    (_LAST, Word.NOTIFIED):           (_ENDED,    (Act.CLOSE,)),
    (_LAST, Word.AGAIN):              (_LAST,     (Act.AGAIN,)),
    (_LAST, Word.GONE):               (_ENDED,    (Act.CLOSE,)),

    # Subscriber. A NOTIFY may come before the 2xx and is as good as one (RFC 6665 section 4.1.2.4).
    (_ASKING, Word.ACCEPTED):         (_TOLD,     (Act.ARM_PATIENCE, Act.TELL_ANSWERED)),
    (_ASKING, Word.ACCEPTED_ALONE):   (_ENDED,    (Act.CLOSE, Act.TELL_ANSWERED, Act.TELL_TERMINATED)),
    (_ASKING, Word.REFUSED):          (_ENDED,    (Act.CLOSE, Act.TELL_REJECTED)),
    (_ASKING, Word.GONE):             (_ENDED,    (Act.CLOSE, Act.TELL_REJECTED)),
    (_ASKING, Word.AGAIN):            (_ASKING,   (Act.AGAIN,)),
    (_ASKING, Word.GOT_NOTIFY):       (_TOLD,     (Act.OK_NOTIFY, Act.ARM, Act.TELL_NOTIFIED)),
    (_ASKING, Word.GOT_LAST_NOTIFY):  (_ENDED,    (*_HEARD_LAST, Act.TELL_TERMINATED)),
    (_ASKING, Word.UNSUBSCRIBE):      (_ENDED,    (Act.CLOSE, Act.TELL_LOCAL)),
    (_TOLD, Word.ACCEPTED):           (_TOLD,     (Act.TELL_ANSWERED,)),
    (_TOLD, Word.GONE):               (_ENDED,    (Act.CLOSE, Act.TELL_LOST)),
    (_TOLD, Word.AGAIN):              (_TOLD,     (Act.AGAIN,)),
    (_TOLD, Word.GOT_NOTIFY):         (_TOLD,     (Act.OK_NOTIFY, Act.ARM, Act.TELL_NOTIFIED)),
    (_TOLD, Word.GOT_LAST_NOTIFY):    (_ENDED,    (*_HEARD_LAST, Act.TELL_TERMINATED)),
    (_TOLD, Word.RESUBSCRIBE):        (_TOLD,     (Act.SUBSCRIBE,)),
    (_TOLD, Word.TIMER_REFRESH):      (_TOLD,     (Act.SUBSCRIBE,)),
    (_TOLD, Word.UNSUBSCRIBE):        (_QUITTING, (Act.SUBSCRIBE, Act.ARM_PATIENCE)),
    (_TOLD, Word.TIMER_END):          (_ENDED,    (Act.CLOSE, Act.TELL_EXPIRED)),
    (_QUITTING, Word.REFUSED):        (_ENDED,    (Act.CLOSE, Act.TELL_LOCAL)),
    (_QUITTING, Word.GONE):           (_ENDED,    (Act.CLOSE, Act.TELL_LOCAL)),
    (_QUITTING, Word.AGAIN):          (_QUITTING, (Act.AGAIN,)),
    (_QUITTING, Word.GOT_NOTIFY):     (_QUITTING, (Act.OK_NOTIFY, Act.TELL_NOTIFIED)),
    (_QUITTING, Word.GOT_LAST_NOTIFY): (_ENDED,   (*_HEARD_LAST, Act.TELL_LOCAL)),
    (_QUITTING, Word.TIMER_END):      (_ENDED,    (Act.CLOSE, Act.TELL_LOCAL)),
}
# fmt: on
