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
    ANSWER_HELD = "answer held"  # to be answered, once our reliable 18x with SDP is acknowledged (RFC 3262 section 3)
    ANSWERED = "answered"  # 2xx sent, ACK awaited
    BYE_HELD = "bye held"  # hung up meanwhile: BYE waits for the ACK (RFC 3261 section 15)
    # both
    CONFIRMED = "confirmed"
    ENDING = "ending"  # BYE sent
    ENDED = "ended"


class Change(StrEnum):
    """Where a change of the session stands (re-INVITE, UPDATE, an offer in a PRACK); one at a time, either way."""

    NONE = "none"
    OURS = "ours"
    OURS_UNACKED = "ours unacked"  # answered with an offer: the owner owes the ACK
    THEIRS = "theirs"
    THEIRS_UNACKED = "theirs unacked"
    OURS_UPDATE = "our update"
    THEIRS_UPDATE = "their update"  # or their PRACK with an offer
    REFRESHING = "refreshing"  # our re-INVITE that changes nothing, for the session timer


class Cue(StrEnum):
    """What can happen: to the left what the peer or time does, to the right what the owner does."""

    GOT_PROGRESS = "1xx"
    GOT_ANSWER = "2xx"
    GOT_OFFER = "2xx with the offer"  # our INVITE had none
    GOT_FAILURE = "300-699"
    GOT_SILENCE = "timer B"
    GOT_ERROR = "transport error"
    GOT_CANCEL = "CANCEL"
    GOT_ACK = "ACK"
    GOT_BYE = "BYE"
    GOT_REINVITE = "re-INVITE"
    GOT_UPDATE = "UPDATE with an offer"
    AGAIN = "refused, to be sent again"  # 422, 401, 407: with what was lacking
    PRACKED = "nothing holds the answer"
    OTHER_FORK = "another fork answered"  # than the one the change is about
    BYE_DONE = "BYE answered"
    GONE = "481 in the dialog"
    SILENT = "408 in the dialog"
    TIMER_REPEAT = "repeat 2xx"
    TIMER_NO_ACK = "no ACK"
    TIMER_NO_PRACK = "no PRACK"
    TIMER_REMIND = "a minute in silence"
    TIMER_EXPIRED = "session expired"
    TIMER_DUE = "time to try again"
    OVER = "session over"  # to a change

    PROGRESS = "progress()"
    ANSWER = "answer()"
    ANSWER_LATER = "answer(), too early"
    REJECT = "reject()"
    CANCEL = "cancel()"
    ACK = "ack()"
    BYE = "bye()"
    REINVITE = "reinvite()"
    UPDATE = "update()"
    REFRESH = "refresh by re-INVITE"


class Do(StrEnum):
    """What a session does on its way to the next stage."""

    CONFIRM = "confirm the dialog"
    ACK = "send ACK"
    BYE = "send BYE"
    CANCEL = "send CANCEL"
    SEND_PROVISIONAL = "send 1xx"
    REMIND = "send the last 1xx again"  # proxies forget after three minutes (RFC 3261 13.3.1.1)
    SEND_2XX = "send 2xx and repeat it"
    HOLD_2XX = "keep the 2xx"
    SEND_HELD_2XX = "send the kept 2xx and repeat it"
    REPEAT_2XX = "repeat 2xx"
    STOP_2XX = "stop repeating"
    SEND_FAILURE = "send 300-699"
    SEND_487 = "send 487"
    SEND_504 = "send 504"
    SEND_491 = "send 491"
    SEND_500 = "send 500 with Retry-After"
    OK_BYE = "send 200 to BYE"
    SEND_AGAIN = "send it again, amended"
    SEND_REINVITE = "send re-INVITE"
    ABANDON_REINVITE = "no longer listen to the re-INVITE"
    SEND_UPDATE = "send UPDATE"
    ABANDON_UPDATE = "no longer listen to the UPDATE"
    TAKE_UPDATE = "take in the UPDATE"
    OK_UPDATE = "send 200 to the UPDATE"
    REFUSE_UPDATE = "send 300-699 to the UPDATE"
    DROP_UPDATE = "send 487 to the UPDATE"
    RELEASE_ANSWER = "let a held answer go"
    WAIT = "wait before the next try"
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
    TELL_NO_PRACK = "Ended: no_prack"
    TELL_EXPIRED = "Ended: session_expired"
    TELL_REINVITED = "Reinvited"
    TELL_REINVITE_CANCELLED = "ReinviteCancelled"
    TELL_REINVITE_ANSWERED = "ReinviteAnswered"
    TELL_REINVITE_REJECTED = "ReinviteRejected"
    TELL_PENDING = "ReinviteRejected: 491"
    TELL_REINVITE_ACKNOWLEDGED = "ReinviteAcknowledged"
    TELL_UPDATE_CANCELLED = "ReinviteCancelled: other fork"
    TELL_UPDATE_LOST = "ReinviteRejected: other fork"
    TELL_DUE = "ReinviteDue"
    TELL_REFRESHED = "Refreshed"
    TELL_NOT_REFRESHED = "session timer: refused"
    LOSE = "end the session"  # a change left the session without a common view


SessionTable = Mapping[tuple[Stage, Cue], tuple[Stage, tuple[Do, ...]]]
ChangeTable = Mapping[tuple[Change, Cue], tuple[Change, tuple[Do, ...]]]

_UNWANTED: Final = (Do.CONFIRM, Do.ACK, Do.DROP_CHANGE, Do.BYE, Do.TELL_WITHDRAWN)

# fmt: off
SESSION: Final[SessionTable] = {
    # Caller, before an answer. A 2xx that crosses our CANCEL is a session: it has to be acknowledged and ended.
    (Stage.CALLING, Cue.GOT_PROGRESS):     (Stage.EARLY,       (Do.TELL_PROGRESS,)),
    (Stage.CALLING, Cue.GOT_ANSWER):       (Stage.CONFIRMED,   (Do.CONFIRM, Do.ACK, Do.TELL_ANSWERED)),
    (Stage.CALLING, Cue.GOT_OFFER):        (Stage.UNACKED,     (Do.CONFIRM, Do.TELL_ANSWERED)),
    (Stage.CALLING, Cue.GOT_FAILURE):      (Stage.ENDED,       (Do.CLOSE, Do.TELL_REJECTED)),
    (Stage.CALLING, Cue.GOT_SILENCE):      (Stage.ENDED,       (Do.CLOSE, Do.TELL_SILENCE)),
    (Stage.CALLING, Cue.GOT_ERROR):        (Stage.ENDED,       (Do.CLOSE, Do.TELL_UNREACHABLE)),
    (Stage.CALLING, Cue.AGAIN):            (Stage.CALLING,     (Do.SEND_AGAIN,)),
    (Stage.CALLING, Cue.CANCEL):           (Stage.CANCEL_HELD, ()),
    (Stage.CALLING, Cue.BYE):              (Stage.CANCEL_HELD, ()),
    (Stage.CANCEL_HELD, Cue.GOT_PROGRESS): (Stage.CANCELLING,  (Do.CANCEL,)),
    (Stage.CANCEL_HELD, Cue.GOT_ANSWER):   (Stage.ENDING,      _UNWANTED),
    (Stage.CANCEL_HELD, Cue.GOT_OFFER):    (Stage.ENDING,      _UNWANTED),
    (Stage.CANCEL_HELD, Cue.GOT_FAILURE):  (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.CANCEL_HELD, Cue.GOT_SILENCE):  (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.CANCEL_HELD, Cue.GOT_ERROR):    (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.EARLY, Cue.GOT_PROGRESS):       (Stage.EARLY,       (Do.TELL_PROGRESS,)),
    (Stage.EARLY, Cue.GOT_ANSWER):         (Stage.CONFIRMED,   (Do.CONFIRM, Do.ACK, Do.TELL_ANSWERED)),
    (Stage.EARLY, Cue.GOT_OFFER):          (Stage.UNACKED,     (Do.CONFIRM, Do.TELL_ANSWERED)),
    (Stage.EARLY, Cue.GOT_FAILURE):        (Stage.ENDED,       (Do.CLOSE, Do.TELL_REJECTED)),
    (Stage.EARLY, Cue.AGAIN):              (Stage.CALLING,     (Do.SEND_AGAIN,)),
    (Stage.EARLY, Cue.GOT_BYE):            (Stage.EARLY,       (Do.OK_BYE,)),
    (Stage.EARLY, Cue.GOT_REINVITE):       (Stage.EARLY,       (Do.SEND_500,)),
    (Stage.EARLY, Cue.CANCEL):             (Stage.CANCELLING,  (Do.CANCEL,)),
    (Stage.EARLY, Cue.BYE):                (Stage.CANCELLING,  (Do.CANCEL,)),
    (Stage.CANCELLING, Cue.GOT_ANSWER):    (Stage.ENDING,      _UNWANTED),
    (Stage.CANCELLING, Cue.GOT_OFFER):     (Stage.ENDING,      _UNWANTED),
    (Stage.CANCELLING, Cue.GOT_FAILURE):   (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.CANCELLING, Cue.GOT_SILENCE):   (Stage.ENDED,       (Do.CLOSE, Do.TELL_WITHDRAWN)),
    (Stage.CANCELLING, Cue.GOT_BYE):       (Stage.CANCELLING,  (Do.OK_BYE,)),
    (Stage.UNACKED, Cue.ACK):              (Stage.CONFIRMED,   (Do.ACK,)),
    (Stage.UNACKED, Cue.BYE):              (Stage.ENDING,      (Do.ACK, Do.DROP_CHANGE, Do.BYE, Do.TELL_LOCAL)),
    (Stage.UNACKED, Cue.GOT_BYE):          (Stage.ENDED,       (Do.OK_BYE, Do.CLOSE, Do.TELL_BYE)),
    (Stage.UNACKED, Cue.GOT_REINVITE):     (Stage.UNACKED,     (Do.SEND_491,)),

    # Callee.
    (Stage.INCOMING, Cue.PROGRESS):        (Stage.INCOMING,    (Do.SEND_PROVISIONAL,)),
    (Stage.INCOMING, Cue.ANSWER):          (Stage.ANSWERED,    (Do.SEND_2XX,)),
    (Stage.INCOMING, Cue.ANSWER_LATER):    (Stage.ANSWER_HELD, (Do.HOLD_2XX,)),
    (Stage.INCOMING, Cue.TIMER_REMIND):    (Stage.INCOMING,    (Do.REMIND,)),
    (Stage.INCOMING, Cue.TIMER_NO_PRACK):  (Stage.ENDED,       (Do.SEND_504, Do.CLOSE, Do.TELL_NO_PRACK)),
    (Stage.INCOMING, Cue.REJECT):          (Stage.ENDED,       (Do.SEND_FAILURE, Do.CLOSE, Do.TELL_LOCAL)),
    (Stage.INCOMING, Cue.BYE):             (Stage.ENDED,       (Do.SEND_FAILURE, Do.CLOSE, Do.TELL_LOCAL)),
    (Stage.INCOMING, Cue.GOT_CANCEL):      (Stage.ENDED,       (Do.SEND_487, Do.CLOSE, Do.TELL_CANCELLED)),
    (Stage.INCOMING, Cue.GOT_BYE):         (Stage.ENDED,       (Do.OK_BYE, Do.SEND_487, Do.CLOSE, Do.TELL_CANCELLED)),
    (Stage.INCOMING, Cue.GOT_REINVITE):    (Stage.INCOMING,    (Do.SEND_500,)),
    (Stage.ANSWER_HELD, Cue.PRACKED):      (Stage.ANSWERED,    (Do.SEND_HELD_2XX,)),
    (Stage.ANSWER_HELD, Cue.TIMER_NO_PRACK): (Stage.ENDED,     (Do.SEND_504, Do.CLOSE, Do.TELL_NO_PRACK)),
    (Stage.ANSWER_HELD, Cue.REJECT):       (Stage.ENDED,       (Do.SEND_FAILURE, Do.CLOSE, Do.TELL_LOCAL)),
    (Stage.ANSWER_HELD, Cue.BYE):          (Stage.ENDED,       (Do.SEND_FAILURE, Do.CLOSE, Do.TELL_LOCAL)),
    (Stage.ANSWER_HELD, Cue.GOT_CANCEL):   (Stage.ENDED,       (Do.SEND_487, Do.CLOSE, Do.TELL_CANCELLED)),
    (Stage.ANSWER_HELD, Cue.GOT_BYE):      (Stage.ENDED,       (Do.OK_BYE, Do.SEND_487, Do.CLOSE, Do.TELL_CANCELLED)),
    (Stage.ANSWER_HELD, Cue.GOT_REINVITE): (Stage.ANSWER_HELD, (Do.SEND_500,)),
    (Stage.ANSWERED, Cue.TIMER_REPEAT):    (Stage.ANSWERED,    (Do.REPEAT_2XX,)),
    (Stage.ANSWERED, Cue.GOT_ACK):         (Stage.CONFIRMED,   (Do.STOP_2XX, Do.TELL_ACKNOWLEDGED)),
    (Stage.ANSWERED, Cue.TIMER_NO_ACK):    (Stage.ENDING,      (Do.STOP_2XX, Do.DROP_CHANGE, Do.BYE, Do.TELL_NO_ACK)),
    (Stage.ANSWERED, Cue.GOT_BYE):         (Stage.ENDED,       (Do.STOP_2XX, Do.OK_BYE, Do.CLOSE, Do.TELL_BYE)),
    (Stage.ANSWERED, Cue.GOT_REINVITE):    (Stage.ANSWERED,    (Do.SEND_491,)),
    (Stage.ANSWERED, Cue.GONE):            (Stage.ENDED,       (Do.STOP_2XX, Do.CLOSE, Do.TELL_LOST)),
    (Stage.ANSWERED, Cue.BYE):             (Stage.BYE_HELD,    (Do.DROP_CHANGE, Do.TELL_LOCAL)),
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
    (Stage.CONFIRMED, Cue.TIMER_EXPIRED):  (Stage.ENDING,      (Do.DROP_CHANGE, Do.BYE, Do.TELL_EXPIRED)),
    (Stage.CONFIRMED, Cue.TIMER_NO_ACK):   (Stage.ENDING,      (Do.BYE, Do.TELL_NO_ACK)),
    (Stage.ENDING, Cue.GOT_BYE):           (Stage.ENDING,      (Do.OK_BYE,)),
    (Stage.ENDING, Cue.BYE_DONE):          (Stage.ENDED,       (Do.CLOSE,)),
}

_NONE, _OURS, _OURS_UNACKED, _THEIRS = Change.NONE, Change.OURS, Change.OURS_UNACKED, Change.THEIRS
_THEIRS_UNACKED, _REFRESHING = Change.THEIRS_UNACKED, Change.REFRESHING
_OUR_UPDATE, _THEIR_UPDATE = Change.OURS_UPDATE, Change.THEIRS_UPDATE

CHANGE: Final[ChangeTable] = {
    (_NONE, Cue.REINVITE):               (_OURS,           (Do.SEND_REINVITE,)),
    (_NONE, Cue.GOT_REINVITE):           (_THEIRS,         (Do.TAKE_REINVITE, Do.TELL_REINVITED)),
    (_NONE, Cue.UPDATE):                 (_OUR_UPDATE,     (Do.SEND_UPDATE,)),
    (_NONE, Cue.GOT_UPDATE):             (_THEIR_UPDATE,   (Do.TAKE_UPDATE, Do.TELL_REINVITED)),
    (_NONE, Cue.REFRESH):                (_REFRESHING,     (Do.SEND_REINVITE,)),
    (_NONE, Cue.TIMER_DUE):              (_NONE,           (Do.TELL_DUE,)),

    (_OURS, Cue.REINVITE):               (_OURS,           (Do.TELL_PENDING, Do.WAIT)),
    (_OURS, Cue.UPDATE):                 (_OURS,           (Do.TELL_PENDING, Do.WAIT)),
    (_OURS, Cue.GOT_REINVITE):           (_OURS,           (Do.SEND_491,)),
    (_OURS, Cue.GOT_UPDATE):             (_OURS,           (Do.SEND_491,)),
    (_OURS, Cue.GOT_ANSWER):             (_NONE,           (Do.REFRESH, Do.ACK, Do.TELL_REINVITE_ANSWERED)),
    (_OURS, Cue.GOT_OFFER):              (_OURS_UNACKED,   (Do.REFRESH, Do.TELL_REINVITE_ANSWERED)),
    (_OURS, Cue.GOT_FAILURE):            (_NONE,           (Do.TELL_REINVITE_REJECTED, Do.WAIT)),
    (_OURS, Cue.AGAIN):                  (_OURS,           (Do.SEND_AGAIN,)),
    (_OURS, Cue.CANCEL):                 (_OURS,           (Do.CANCEL,)),
    (_OURS, Cue.TIMER_DUE):              (_OURS,           (Do.WAIT,)),
    (_OURS, Cue.OVER):                   (_NONE,           (Do.ABANDON_REINVITE,)),

    (_OURS_UNACKED, Cue.ACK):            (_NONE,           (Do.ACK,)),
    (_OURS_UNACKED, Cue.REINVITE):       (_OURS_UNACKED,   (Do.TELL_PENDING, Do.WAIT)),
    (_OURS_UNACKED, Cue.UPDATE):         (_OURS_UNACKED,   (Do.TELL_PENDING, Do.WAIT)),
    (_OURS_UNACKED, Cue.GOT_REINVITE):   (_OURS_UNACKED,   (Do.SEND_491,)),
    (_OURS_UNACKED, Cue.GOT_UPDATE):     (_OURS_UNACKED,   (Do.SEND_500,)),
    (_OURS_UNACKED, Cue.TIMER_DUE):      (_OURS_UNACKED,   (Do.WAIT,)),
    (_OURS_UNACKED, Cue.OVER):           (_NONE,           (Do.ACK,)),

    (_THEIRS, Cue.ANSWER):               (_THEIRS_UNACKED, (Do.REFRESH, Do.SEND_2XX)),
    (_THEIRS, Cue.REJECT):               (_NONE,           (Do.SEND_FAILURE,)),
    (_THEIRS, Cue.GOT_CANCEL):           (_NONE,           (Do.SEND_487, Do.TELL_REINVITE_CANCELLED)),
    (_THEIRS, Cue.REINVITE):             (_THEIRS,         (Do.TELL_PENDING, Do.WAIT)),
    (_THEIRS, Cue.UPDATE):               (_THEIRS,         (Do.TELL_PENDING, Do.WAIT)),
    (_THEIRS, Cue.GOT_REINVITE):         (_THEIRS,         (Do.SEND_500,)),
    (_THEIRS, Cue.GOT_UPDATE):           (_THEIRS,         (Do.SEND_500,)),
    (_THEIRS, Cue.TIMER_DUE):            (_THEIRS,         (Do.WAIT,)),
    (_THEIRS, Cue.OVER):                 (_NONE,           (Do.SEND_487,)),

    (_THEIRS_UNACKED, Cue.TIMER_REPEAT): (_THEIRS_UNACKED, (Do.REPEAT_2XX,)),
    (_THEIRS_UNACKED, Cue.GOT_ACK):      (_NONE,           (Do.STOP_2XX, Do.TELL_REINVITE_ACKNOWLEDGED)),
    (_THEIRS_UNACKED, Cue.TIMER_NO_ACK): (_NONE,           (Do.STOP_2XX, Do.LOSE)),
    (_THEIRS_UNACKED, Cue.REINVITE):     (_THEIRS_UNACKED, (Do.TELL_PENDING, Do.WAIT)),
    (_THEIRS_UNACKED, Cue.UPDATE):       (_THEIRS_UNACKED, (Do.TELL_PENDING, Do.WAIT)),
    (_THEIRS_UNACKED, Cue.GOT_REINVITE): (_THEIRS_UNACKED, (Do.SEND_491,)),
    (_THEIRS_UNACKED, Cue.GOT_UPDATE):   (_THEIRS_UNACKED, (Do.SEND_491,)),
    (_THEIRS_UNACKED, Cue.TIMER_DUE):    (_THEIRS_UNACKED, (Do.WAIT,)),
    (_THEIRS_UNACKED, Cue.OVER):         (_NONE,           (Do.STOP_2XX,)),

    # UPDATE (RFC 3311 section 5): answered at once or refused, no ACK; before the answer to the INVITE as well.
    (_OUR_UPDATE, Cue.REINVITE):         (_OUR_UPDATE,     (Do.TELL_PENDING, Do.WAIT)),
    (_OUR_UPDATE, Cue.UPDATE):           (_OUR_UPDATE,     (Do.TELL_PENDING, Do.WAIT)),
    (_OUR_UPDATE, Cue.GOT_REINVITE):     (_OUR_UPDATE,     (Do.SEND_491,)),
    (_OUR_UPDATE, Cue.GOT_UPDATE):       (_OUR_UPDATE,     (Do.SEND_491,)),
    (_OUR_UPDATE, Cue.GOT_ANSWER):       (_NONE,           (Do.REFRESH, Do.TELL_REINVITE_ANSWERED)),
    (_OUR_UPDATE, Cue.GOT_FAILURE):      (_NONE,           (Do.TELL_REINVITE_REJECTED, Do.WAIT)),
    (_OUR_UPDATE, Cue.AGAIN):            (_OUR_UPDATE,     (Do.SEND_AGAIN,)),
    (_OUR_UPDATE, Cue.OTHER_FORK):       (_NONE,           (Do.ABANDON_UPDATE, Do.TELL_UPDATE_LOST)),
    (_OUR_UPDATE, Cue.TIMER_DUE):        (_OUR_UPDATE,     (Do.WAIT,)),
    (_OUR_UPDATE, Cue.OVER):             (_NONE,           (Do.ABANDON_UPDATE,)),
    (_THEIR_UPDATE, Cue.ANSWER):         (_NONE,           (Do.OK_UPDATE, Do.RELEASE_ANSWER)),
    (_THEIR_UPDATE, Cue.REJECT):         (_NONE,           (Do.REFUSE_UPDATE, Do.RELEASE_ANSWER)),
    (_THEIR_UPDATE, Cue.REINVITE):       (_THEIR_UPDATE,   (Do.TELL_PENDING, Do.WAIT)),
    (_THEIR_UPDATE, Cue.UPDATE):         (_THEIR_UPDATE,   (Do.TELL_PENDING, Do.WAIT)),
    (_THEIR_UPDATE, Cue.GOT_REINVITE):   (_THEIR_UPDATE,   (Do.SEND_500,)),
    (_THEIR_UPDATE, Cue.GOT_UPDATE):     (_THEIR_UPDATE,   (Do.SEND_500,)),
    (_THEIR_UPDATE, Cue.OTHER_FORK):     (_NONE,           (Do.TELL_UPDATE_CANCELLED, Do.DROP_UPDATE)),
    (_THEIR_UPDATE, Cue.TIMER_DUE):      (_THEIR_UPDATE,   (Do.WAIT,)),
    (_THEIR_UPDATE, Cue.OVER):           (_NONE,           (Do.DROP_UPDATE,)),

    # Our refresh by re-INVITE (RFC 4028 section 7.4): the owner hears of it only when the answer is another one.
    (_REFRESHING, Cue.REINVITE):         (_REFRESHING,     (Do.TELL_PENDING, Do.WAIT)),
    (_REFRESHING, Cue.UPDATE):           (_REFRESHING,     (Do.TELL_PENDING, Do.WAIT)),
    (_REFRESHING, Cue.GOT_REINVITE):     (_REFRESHING,     (Do.SEND_491,)),
    (_REFRESHING, Cue.GOT_UPDATE):       (_REFRESHING,     (Do.SEND_491,)),
    (_REFRESHING, Cue.GOT_ANSWER):       (_NONE,           (Do.REFRESH, Do.ACK, Do.TELL_REFRESHED)),
    (_REFRESHING, Cue.GOT_FAILURE):      (_NONE,           (Do.TELL_NOT_REFRESHED,)),
    (_REFRESHING, Cue.AGAIN):            (_REFRESHING,     (Do.SEND_AGAIN,)),
    (_REFRESHING, Cue.TIMER_DUE):        (_REFRESHING,     (Do.WAIT,)),
    (_REFRESHING, Cue.OVER):             (_NONE,           (Do.ABANDON_REINVITE,)),
}
# fmt: on
