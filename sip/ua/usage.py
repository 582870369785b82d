"""The life of a session, and of a change to it, as tables (RFC 3261 sections 9, 13, 14, 15; crossings: RFC 5407).

A missing row means: ignore. `sip.session` performs what the rows say.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

__all__ = ["CHANGE", "SESSION", "Change", "ChangeTable", "Cue", "Do", "SessionTable", "Stage"]


class Stage(StrEnum):
    """Where an INVITE session stands."""

    # caller
    CALLING = "calling"  # nothing heard yet
    CANCEL_HELD = "cancel held"  # to be cancelled, once the peer is known to have the INVITE (RFC 3261 9.1)
    EARLY = "early"
    CANCELLING = "cancelling"
    UNACKED = "unacked"  # answered with an offer: the owner owes the ACK with its answer
    # callee
    INCOMING = "incoming"
    ANSWERED = "answered"  # 2xx sent, ACK awaited
    BYE_HELD = "bye held"  # hung up meanwhile: BYE waits for the ACK (RFC 3261 section 15)
    # both
    CONFIRMED = "confirmed"
    ENDING = "ending"  # BYE sent
    ENDED = "ended"


class Change(StrEnum):
    """Where a re-INVITE stands; one at a time, either way."""

    NONE = "none"
    OURS = "ours"
    OURS_UNACKED = "ours unacked"  # answered with an offer: the owner owes the ACK
    THEIRS = "theirs"
    THEIRS_UNACKED = "theirs unacked"


class Cue(StrEnum):
    """What can happen: to the left what the peer or time does, to the right what the owner does."""

    GOT_PROGRESS = "1xx"
    GOT_ANSWER = "2xx"
    GOT_OFFER = "2xx with the offer"  # our INVITE had none
    GOT_FAILURE = "300-699"
    GOT_CHALLENGE = "401 or 407 that we can answer"
    GOT_SILENCE = "timer B"
    GOT_ERROR = "transport error"
    GOT_CANCEL = "CANCEL"
    GOT_ACK = "ACK"
    GOT_BYE = "BYE"
    GOT_REINVITE = "re-INVITE"
    BYE_DONE = "BYE answered"
    GONE = "481 in the dialog"
    SILENT = "408 in the dialog"
    TIMER_REPEAT = "repeat 2xx"
    TIMER_NO_ACK = "no ACK"
    OVER = "session over"  # to a change

    PROGRESS = "progress()"
    ANSWER = "answer()"
    REJECT = "reject()"
    CANCEL = "cancel()"
    ACK = "ack()"
    BYE = "bye()"
    REINVITE = "reinvite()"


class Do(StrEnum):
    """What a session does on its way to the next stage."""

    CONFIRM = "confirm the dialog"
    ACK = "send ACK"
    BYE = "send BYE"
    CANCEL = "send CANCEL"
    SEND_PROVISIONAL = "send 1xx"
    SEND_2XX = "send 2xx and repeat it"
    REPEAT_2XX = "repeat 2xx"
    STOP_2XX = "stop repeating"
    SEND_FAILURE = "send 300-699"
    SEND_487 = "send 487"
    SEND_491 = "send 491"
    SEND_500 = "send 500 with Retry-After"
    OK_BYE = "send 200 to BYE"
    SEND_REINVITE = "send re-INVITE"
    RESEND = "send the INVITE again, with credentials"
    ABANDON_REINVITE = "no longer listen to the re-INVITE"
    REFRESH = "refresh the target"
    TAKE_REINVITE = "take in the re-INVITE"
    DROP_CHANGE = "settle the pending change"
    CLOSE = "close"  # out of the agent's books

    TELL_PROGRESS = "Progress"
    TELL_ANSWERED = "Answered"
    TELL_REJECTED = "Rejected"
    TELL_SILENCE = "Rejected: timeout"
    TELL_UNREACHABLE = "Rejected: unreachable"
    TELL_WITHDRAWN = "Rejected: cancelled"
    TELL_CANCELLED = "Cancelled"
    TELL_ACKNOWLEDGED = "Acknowledged"
    TELL_BYE = "Ended: bye"
    TELL_LOCAL = "Ended: local"
    TELL_NO_ACK = "Ended: no_ack"
    TELL_LOST = "Ended: lost"
    TELL_REINVITED = "Reinvited"
    TELL_REINVITE_CANCELLED = "ReinviteCancelled"
    TELL_REINVITE_ANSWERED = "ReinviteAnswered"
    TELL_REINVITE_REJECTED = "ReinviteRejected"
    TELL_PENDING = "ReinviteRejected: 491"
    TELL_REINVITE_ACKNOWLEDGED = "ReinviteAcknowledged"
    LOSE = "end the session"  # a change left the session without a common view


SessionTable = Mapping[tuple[Stage, Cue], tuple[Stage, tuple[Do, ...]]]
ChangeTable = Mapping[tuple[Change, Cue], tuple[Change, tuple[Do, ...]]]

# fmt: off
SESSION: Final[SessionTable] = {
    # Caller, before an answer. A 2xx that crosses our CANCEL is a session: it has to be acknowledged and ended.
    (Stage.CALLING, Cue.GOT_PROGRESS):     (Stage.EARLY,       (Do.TELL_PROGRESS,)),
    (Stage.CALLING, Cue.GOT_ANSWER):       (Stage.CONFIRMED,   (Do.CONFIRM, Do.ACK, Do.TELL_ANSWERED)),
    (Stage.CALLING, Cue.GOT_OFFER):        (Stage.UNACKED,     (Do.CONFIRM, Do.TELL_ANSWERED)),
    (Stage.CALLING, Cue.GOT_FAILURE):      (Stage.ENDED,       (Do.CLOSE, Do.TELL_REJECTED)),
    (Stage.CALLING, Cue.GOT_CHALLENGE):    (Stage.CALLING,     (Do.RESEND,)),
    (Stage.CALLING, Cue.GOT_SILENCE):      (Stage.ENDED,       (Do.CLOSE, Do.TELL_SILENCE)),
    (Stage.CALLING, Cue.GOT_ERROR):        (Stage.ENDED,       (Do.CLOSE, Do.TELL_UNREACHABLE)),
    (Stage.CALLING, Cue.CANCEL):           (Stage.CANCEL_HELD, ()),
    (Stage.CALLING, Cue.BYE):              (Stage.CANCEL_HELD, ()),
    (Stage.CANCEL_HELD, Cue.GOT_PROGRESS): (Stage.CANCELLING,  (Do.CANCEL,)),
    (Stage.CANCEL_HELD, Cue.GOT_ANSWER):   (Stage.ENDING,      (Do.CONFIRM, Do.ACK, Do.BYE, Do.TELL_WITHDRAWN)),
    (Stage.CANCEL_HELD, Cue.GOT_OFFER):    (Stage.ENDING,      (Do.CONFIRM, Do.ACK, Do.BYE, Do.TELL_WITHDRAWN)),
    (Stage.CANCEL_HELD, Cue.GOT_FAILURE):  (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.CANCEL_HELD, Cue.GOT_SILENCE):  (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.CANCEL_HELD, Cue.GOT_ERROR):    (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.EARLY, Cue.GOT_PROGRESS):       (Stage.EARLY,       (Do.TELL_PROGRESS,)),
    (Stage.EARLY, Cue.GOT_ANSWER):         (Stage.CONFIRMED,   (Do.CONFIRM, Do.ACK, Do.TELL_ANSWERED)),
    (Stage.EARLY, Cue.GOT_OFFER):          (Stage.UNACKED,     (Do.CONFIRM, Do.TELL_ANSWERED)),
    (Stage.EARLY, Cue.GOT_FAILURE):        (Stage.ENDED,       (Do.CLOSE, Do.TELL_REJECTED)),
    (Stage.EARLY, Cue.GOT_CHALLENGE):      (Stage.CALLING,     (Do.RESEND,)),
    (Stage.EARLY, Cue.GOT_BYE):            (Stage.EARLY,       (Do.OK_BYE,)),
    (Stage.EARLY, Cue.GOT_REINVITE):       (Stage.EARLY,       (Do.SEND_500,)),
    (Stage.EARLY, Cue.CANCEL):             (Stage.CANCELLING,  (Do.CANCEL,)),
    (Stage.EARLY, Cue.BYE):                (Stage.CANCELLING,  (Do.CANCEL,)),
    (Stage.CANCELLING, Cue.GOT_ANSWER):    (Stage.ENDING,      (Do.CONFIRM, Do.ACK, Do.BYE, Do.TELL_WITHDRAWN)),
    (Stage.CANCELLING, Cue.GOT_OFFER):     (Stage.ENDING,      (Do.CONFIRM, Do.ACK, Do.BYE, Do.TELL_WITHDRAWN)),
    (Stage.CANCELLING, Cue.GOT_FAILURE):   (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.CANCELLING, Cue.GOT_SILENCE):   (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.CANCELLING, Cue.GOT_BYE):       (Stage.CANCELLING,  (Do.OK_BYE,)),
    (Stage.UNACKED, Cue.ACK):              (Stage.CONFIRMED,   (Do.ACK,)),
    (Stage.UNACKED, Cue.BYE):              (Stage.ENDING,      (Do.ACK, Do.BYE, Do.TELL_LOCAL)),
    (Stage.UNACKED, Cue.GOT_BYE):          (Stage.ENDED,       (Do.OK_BYE, Do.CLOSE, Do.TELL_BYE)),
    (Stage.UNACKED, Cue.GOT_REINVITE):     (Stage.UNACKED,     (Do.SEND_491,)),

    # Callee.
    (Stage.INCOMING, Cue.PROGRESS):        (Stage.INCOMING,    (Do.SEND_PROVISIONAL,)),
    (Stage.INCOMING, Cue.ANSWER):          (Stage.ANSWERED,    (Do.SEND_2XX,)),
    (Stage.INCOMING, Cue.REJECT):          (Stage.ENDED,       (Do.SEND_FAILURE, Do.CLOSE, Do.TELL_LOCAL)),
    (Stage.INCOMING, Cue.BYE):             (Stage.ENDED,       (Do.SEND_FAILURE, Do.CLOSE, Do.TELL_LOCAL)),
    (Stage.INCOMING, Cue.GOT_CANCEL):      (Stage.ENDED,       (Do.SEND_487, Do.CLOSE, Do.TELL_CANCELLED)),
    (Stage.INCOMING, Cue.GOT_BYE):         (Stage.ENDED,       (Do.OK_BYE, Do.SEND_487, Do.CLOSE, Do.TELL_CANCELLED)),
    (Stage.INCOMING, Cue.GOT_REINVITE):    (Stage.INCOMING,    (Do.SEND_500,)),
    (Stage.ANSWERED, Cue.TIMER_REPEAT):    (Stage.ANSWERED,    (Do.REPEAT_2XX,)),
    (Stage.ANSWERED, Cue.GOT_ACK):         (Stage.CONFIRMED,   (Do.STOP_2XX, Do.TELL_ACKNOWLEDGED)),
    (Stage.ANSWERED, Cue.TIMER_NO_ACK):    (Stage.ENDING,      (Do.STOP_2XX, Do.BYE, Do.TELL_NO_ACK)),
    (Stage.ANSWERED, Cue.GOT_BYE):         (Stage.ENDED,       (Do.STOP_2XX, Do.OK_BYE, Do.CLOSE, Do.TELL_BYE)),
    (Stage.ANSWERED, Cue.GOT_REINVITE):    (Stage.ANSWERED,    (Do.SEND_491,)),
    (Stage.ANSWERED, Cue.GONE):            (Stage.ENDED,       (Do.STOP_2XX, Do.CLOSE, Do.TELL_LOST)),
    (Stage.ANSWERED, Cue.BYE):             (Stage.BYE_HELD,    (Do.TELL_LOCAL,)),
    (Stage.BYE_HELD, Cue.TIMER_REPEAT):    (Stage.BYE_HELD,    (Do.REPEAT_2XX,)),
    (Stage.BYE_HELD, Cue.GOT_ACK):         (Stage.ENDING,      (Do.STOP_2XX, Do.BYE)),
    (Stage.BYE_HELD, Cue.TIMER_NO_ACK):    (Stage.ENDING,      (Do.STOP_2XX, Do.BYE)),
    (Stage.BYE_HELD, Cue.GOT_BYE):         (Stage.ENDED,       (Do.STOP_2XX, Do.OK_BYE, Do.CLOSE)),
    (Stage.BYE_HELD, Cue.GOT_REINVITE):    (Stage.BYE_HELD,    (Do.SEND_491,)),

    # Both. What happens to a confirmed session besides is a change: see the other table.
    (Stage.CONFIRMED, Cue.BYE):            (Stage.ENDING,      (Do.DROP_CHANGE, Do.BYE, Do.TELL_LOCAL)),
    (Stage.CONFIRMED, Cue.GOT_BYE):        (Stage.ENDED,       (Do.OK_BYE, Do.DROP_CHANGE, Do.CLOSE, Do.TELL_BYE)),
    (Stage.CONFIRMED, Cue.GONE):           (Stage.ENDED,       (Do.DROP_CHANGE, Do.CLOSE, Do.TELL_LOST)),
    (Stage.CONFIRMED, Cue.SILENT):         (Stage.ENDING,      (Do.DROP_CHANGE, Do.BYE, Do.TELL_LOST)),
    (Stage.CONFIRMED, Cue.TIMER_NO_ACK):   (Stage.ENDING,      (Do.BYE, Do.TELL_NO_ACK)),
    (Stage.ENDING, Cue.GOT_BYE):           (Stage.ENDING,      (Do.OK_BYE,)),
    (Stage.ENDING, Cue.BYE_DONE):          (Stage.ENDED,       (Do.CLOSE,)),
}

CHANGE: Final[ChangeTable] = {
    (Change.NONE, Cue.REINVITE):               (Change.OURS,           (Do.SEND_REINVITE,)),
    (Change.NONE, Cue.GOT_REINVITE):           (Change.THEIRS,         (Do.TAKE_REINVITE, Do.TELL_REINVITED)),
    (Change.OURS, Cue.REINVITE):               (Change.OURS,           (Do.TELL_PENDING,)),
    (Change.OURS, Cue.GOT_REINVITE):           (Change.OURS,           (Do.SEND_491,)),
    (Change.OURS, Cue.GOT_ANSWER):             (Change.NONE,           (Do.REFRESH, Do.ACK, Do.TELL_REINVITE_ANSWERED)),
    (Change.OURS, Cue.GOT_OFFER):              (Change.OURS_UNACKED,   (Do.REFRESH, Do.TELL_REINVITE_ANSWERED)),
    (Change.OURS, Cue.GOT_FAILURE):            (Change.NONE,           (Do.TELL_REINVITE_REJECTED,)),
    (Change.OURS, Cue.GOT_CHALLENGE):          (Change.OURS,           (Do.RESEND,)),
    (Change.OURS, Cue.CANCEL):                 (Change.OURS,           (Do.CANCEL,)),
    (Change.OURS, Cue.OVER):                   (Change.NONE,           (Do.ABANDON_REINVITE,)),
    (Change.OURS_UNACKED, Cue.ACK):            (Change.NONE,           (Do.ACK,)),
    (Change.OURS_UNACKED, Cue.REINVITE):       (Change.OURS_UNACKED,   (Do.TELL_PENDING,)),
    (Change.OURS_UNACKED, Cue.GOT_REINVITE):   (Change.OURS_UNACKED,   (Do.SEND_491,)),
    (Change.OURS_UNACKED, Cue.OVER):           (Change.NONE,           (Do.ACK,)),
    (Change.THEIRS, Cue.ANSWER):               (Change.THEIRS_UNACKED, (Do.REFRESH, Do.SEND_2XX)),
    (Change.THEIRS, Cue.REJECT):               (Change.NONE,           (Do.SEND_FAILURE,)),
    (Change.THEIRS, Cue.GOT_CANCEL):           (Change.NONE,           (Do.SEND_487, Do.TELL_REINVITE_CANCELLED)),
    (Change.THEIRS, Cue.REINVITE):             (Change.THEIRS,         (Do.TELL_PENDING,)),
    (Change.THEIRS, Cue.GOT_REINVITE):         (Change.THEIRS,         (Do.SEND_500,)),
    (Change.THEIRS, Cue.OVER):                 (Change.NONE,           (Do.SEND_487,)),
    (Change.THEIRS_UNACKED, Cue.TIMER_REPEAT): (Change.THEIRS_UNACKED, (Do.REPEAT_2XX,)),
    (Change.THEIRS_UNACKED, Cue.GOT_ACK):      (Change.NONE,           (Do.STOP_2XX, Do.TELL_REINVITE_ACKNOWLEDGED)),
    (Change.THEIRS_UNACKED, Cue.TIMER_NO_ACK): (Change.NONE,           (Do.STOP_2XX, Do.LOSE)),
    (Change.THEIRS_UNACKED, Cue.REINVITE):     (Change.THEIRS_UNACKED, (Do.TELL_PENDING,)),
    (Change.THEIRS_UNACKED, Cue.GOT_REINVITE): (Change.THEIRS_UNACKED, (Do.SEND_491,)),
    (Change.THEIRS_UNACKED, Cue.OVER):         (Change.NONE,           (Do.STOP_2XX,)),
}
# fmt: on
