"""The course of a call as a table: (state, input) → (next state, actions).

`call.py` applies it; `actions/` does what the rows say.
"""

from enum import StrEnum, auto
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from santral.engine.calls.leg import Leg


class Heard(NamedTuple):
    """What comes with an input that a leg caused."""

    leg: "Leg"
    data: Any = None


class State(StrEnum):
    NEW = "new"
    ORIGINATING = "originating"  # a call that begins here rings its first leg
    DIALING = "dialing"
    RINGING = "ringing"
    PREPARING = "preparing"  # an endpoint of our own gets its audio ready
    QUEUED = "queued"  # the caller waits; agents may be rung meanwhile
    CONNECTED = "connected"
    TRANSFERRING = "transferring"  # one leg waits, with or without who transfers it, while another is dialled
    ENDED = "ended"


class Input(StrEnum):
    """What can happen to a call. In brackets what comes with it; `Heard` carries the leg it is about."""

    START = auto()
    ORIGINATE = auto()
    DIAL = auto()  # (Dial)
    LOCATED = auto()  # (Branch): the hops of its target are known
    ANSWER_HERE = auto()  # (AnswerHere)
    WAIT = auto()  # (Wait)
    OFFER = auto()  # (Offer): ring an agent
    WITHDRAW = auto()  # (Withdrawal): ring that agent no more
    OPEN_AUDIO = auto()  # (str): a reservation was accepted, its agent's audio is to be opened now
    CONFIRMED = auto()  # (Heard): an agent whose phone has answered takes the call
    AGENT_READY = auto()  # (Heard): and may hear the caller now
    GIVE_UP = auto()  # (GiveUp)
    AUDIO_READY = auto()  # (PreparedAudio)
    CALLEE_TRYING = auto()  # (Heard)
    CALLEE_RINGING = auto()  # (Heard: status)
    CALLEE_AUDIBLE = auto()  # (Leg): its first packet
    CALLEE_ANSWERED = auto()  # (Heard)
    CALLEE_FAILED = auto()  # (Heard: Failure): one dialled leg; others may ring on
    NO_TRY = auto()  # (Heard)
    NO_PROGRESS = auto()  # (Heard)
    NO_ANSWER = auto()
    ATTEMPT_FAILED = auto()  # (Failure): no leg of this attempt is left
    CALLER_CANCELLED = auto()  # (Heard: Reason values)
    CALLER_ENDED = auto()  # (Heard: cause)
    CALLEE_ENDED = auto()  # (Heard: cause)
    CHANGE = auto()  # (Leg, News, data): re-INVITE and INFO inside the call
    REFERRED = auto()  # (Heard: Referral)
    TRANSFER = auto()  # (Transfer)
    LEAVER_ENDED = auto()  # (Heard: cause): who transfers has hung up already
    RETURN = auto()  # (GiveUp): a transfer failed, everybody is still there
    ABANDONED = auto()  # (GiveUp): it failed, and who transferred has gone
    REPLACE = auto()  # (Replacing): somebody else takes over a leg's place
    ATTEND = auto()  # (Attending): into a conference
    DEPART = auto()  # out of it
    MEMBER_ENDED = auto()  # (Heard: cause): one of the two has left a conference in which the other is not alone
    LISTEN = auto()  # (Listening): somebody listens to the two from now on, or nobody any more
    RING = auto()  # by command: the caller is told that it rings
    ANSWER = auto()  # (Agreement), by command: the caller is answered while others ring
    HOLD = auto()  # (Holding), by command: the peers of legs wait, or do not any more
    PART = auto()  # by command: the legs hear each other no more
    UNITE = auto()  # … and again
    JOIN = auto()  # (Joining): a leg of another call comes over
    TRANSFERRED = auto()  # a leg of ours went on to another call
    CALL_BACK = auto()  # (Sound): the caller is called back later, and is told so now
    PRESSED = auto()  # (Heard: str): a key that nothing else waits for
    PLAYED = auto()
    TALKED = auto()  # (Heard: None, or for how many ms somebody has spoken who speaks no more)
    MESSAGE = auto()  # (Fact): of the message that the caller leaves
    MESSAGE_DUE = auto()  # its time has come
    MEDIA_TIMEOUT = auto()  # (Leg)
    MEDIA_LOST = auto()
    TOO_LONG = auto()
    HANG_UP = auto()  # (status or None, by)
    BROKEN = auto()  # our own bug


class Do(StrEnum):
    """Actions. Each is a function of `actions/`, in `actions.PERFORM`."""

    TAKE_FIRST_STEP = auto()
    RING_FIRST = auto()
    CALL_ON = auto()
    NOT_REACHED = auto()
    CALL_OFF = auto()
    DIAL = auto()
    INVITE = auto()
    STOP_TRY_TIMER = auto()
    CARRY_PROGRESS = auto()
    HEAR_AUDIO = auto()
    HEAR_ANOTHER = auto()
    DROP_BRANCH = auto()
    DROP_ATTEMPT = auto()
    TAKE_NEXT_STEP = auto()
    CONNECT = auto()
    PREPARE_ENDPOINT = auto()
    CONNECT_ENDPOINT = auto()
    TAKE_MESSAGE = auto()
    ENTER_QUEUE = auto()
    RING_AGENT = auto()
    STOP_RINGING = auto()
    OPEN_AUDIO = auto()
    NOTE_RINGING = auto()
    ASK_AGENT = auto()
    TAKE_AGENT = auto()
    DROP_AGENT = auto()
    HEAR_KEY = auto()
    SAY_GOODBYE = auto()
    ASK_FIRST = auto()
    LEAVE_QUEUE = auto()
    CONNECT_AGENT = auto()
    CARRY_CHANGE = auto()
    JUDGE_REFERRAL = auto()
    REFUSE_REFERRAL = auto()
    BEGIN_TRANSFER = auto()
    REPORT_PROGRESS = auto()
    HEAR_TARGET = auto()
    HAND_OVER = auto()
    FAIL_TRANSFER = auto()
    GO_BACK = auto()
    LET_LEAVER_GO = auto()
    DROP_TRANSFER = auto()
    REPLACE_LEG = auto()
    PICK_UP = auto()
    REFUSE_REPLACING = auto()
    ATTEND = auto()
    BRIDGE_AGAIN = auto()
    LET_MEMBER_GO = auto()
    LISTEN = auto()
    HOLD = auto()
    PART = auto()
    RING_CALLER = auto()
    ANSWER_CALLER = auto()
    JOIN_CALL = auto()
    END_TRANSFERRED = auto()
    PROBE = auto()
    REFUSE_CALLER = auto()
    REFUSE_BY_COMMAND = auto()
    CANCEL_DIALLED = auto()
    HANG_UP_CALLEE = auto()
    HANG_UP_CALLER = auto()
    HANG_UP_BOTH = auto()
    BREAK_OFF = auto()
    FINISH = auto()


Row = tuple[State, tuple[Do, ...]]


def _dialling(here: State) -> dict[Input, Row]:
    """Rows that hold while legs are dialled, whether one rings or not."""
    return {
        Input.LOCATED: (here, (Do.INVITE,)),
        Input.CALLEE_TRYING: (here, (Do.STOP_TRY_TIMER,)),
        Input.CALLEE_RINGING: (State.RINGING, (Do.CARRY_PROGRESS,)),
        Input.CALLEE_AUDIBLE: (here, (Do.HEAR_AUDIO,)),
        Input.CALLEE_ANSWERED: (State.CONNECTED, (Do.CONNECT,)),
        Input.CALLEE_FAILED: (here, (Do.DROP_BRANCH, Do.HEAR_ANOTHER)),
        Input.CALLEE_ENDED: (here, (Do.DROP_BRANCH, Do.HEAR_ANOTHER)),
        Input.NO_TRY: (here, (Do.DROP_BRANCH, Do.HEAR_ANOTHER)),
        Input.NO_PROGRESS: (here, (Do.DROP_BRANCH, Do.HEAR_ANOTHER)),
        Input.NO_ANSWER: (State.DIALING, (Do.DROP_ATTEMPT, Do.TAKE_NEXT_STEP)),
        Input.ATTEMPT_FAILED: (State.DIALING, (Do.TAKE_NEXT_STEP,)),
        Input.DIAL: (State.DIALING, (Do.DIAL,)),
        Input.ANSWER_HERE: (State.PREPARING, (Do.PREPARE_ENDPOINT,)),
        Input.WAIT: (State.QUEUED, (Do.ENTER_QUEUE,)),
        Input.GIVE_UP: (State.ENDED, (Do.REFUSE_CALLER, Do.FINISH)),
        Input.CALLER_CANCELLED: (State.ENDED, (Do.CANCEL_DIALLED, Do.FINISH)),
        Input.CALLER_ENDED: (State.ENDED, (Do.CANCEL_DIALLED, Do.FINISH)),
        Input.HANG_UP: (State.ENDED, (Do.CANCEL_DIALLED, Do.REFUSE_BY_COMMAND, Do.FINISH)),
        Input.RING: (here, (Do.RING_CALLER,)),
        Input.ANSWER: (here, (Do.ANSWER_CALLER,)),
    }


def _originating() -> dict[Input, Row]:
    """Rows of a call that begins here, until its first leg has answered."""
    here = State.ORIGINATING
    return {
        Input.DIAL: (here, (Do.DIAL,)),
        Input.LOCATED: (here, (Do.INVITE,)),
        Input.CALLEE_TRYING: (here, (Do.STOP_TRY_TIMER,)),
        Input.CALLEE_RINGING: (here, (Do.REPORT_PROGRESS,)),
        Input.CALLEE_ANSWERED: (here, (Do.ASK_FIRST,)),
        Input.CONFIRMED: (State.DIALING, (Do.CALL_ON,)),
        Input.CALLEE_FAILED: (here, (Do.DROP_BRANCH,)),
        Input.CALLEE_ENDED: (here, (Do.DROP_BRANCH,)),
        Input.NO_TRY: (here, (Do.DROP_BRANCH,)),
        Input.NO_PROGRESS: (here, (Do.DROP_BRANCH,)),
        Input.NO_ANSWER: (here, (Do.DROP_ATTEMPT, Do.TAKE_NEXT_STEP)),
        Input.ATTEMPT_FAILED: (here, (Do.TAKE_NEXT_STEP,)),
        Input.GIVE_UP: (State.ENDED, (Do.NOT_REACHED, Do.FINISH)),
        Input.ANSWER_HERE: (State.ENDED, (Do.CALL_OFF, Do.FINISH)),  # redirected to no phone
        Input.HANG_UP: (State.ENDED, (Do.CALL_OFF, Do.FINISH)),
    }


def _queued() -> dict[Input, Row]:
    """Rows of a caller who waits. Whose phone rings meanwhile, and who gets the call, is decided by the queue."""
    here = State.QUEUED
    gone: Row = (State.ENDED, (Do.CANCEL_DIALLED, Do.FINISH))
    cut: Row = (State.ENDED, (Do.CANCEL_DIALLED, Do.HANG_UP_BOTH, Do.FINISH))
    return {
        Input.WAIT: (here, (Do.LEAVE_QUEUE, Do.ENTER_QUEUE)),
        Input.OFFER: (here, (Do.RING_AGENT,)),
        Input.WITHDRAW: (here, (Do.STOP_RINGING,)),
        Input.OPEN_AUDIO: (here, (Do.OPEN_AUDIO,)),
        Input.LOCATED: (here, (Do.INVITE,)),
        Input.CALLEE_TRYING: (here, (Do.STOP_TRY_TIMER,)),
        Input.CALLEE_RINGING: (here, (Do.NOTE_RINGING,)),
        Input.CALLEE_ANSWERED: (here, (Do.ASK_AGENT,)),
        Input.CALLEE_FAILED: (here, (Do.DROP_AGENT,)),
        Input.CALLEE_ENDED: (here, (Do.DROP_AGENT,)),
        Input.NO_TRY: (here, (Do.DROP_AGENT,)),
        Input.NO_PROGRESS: (here, (Do.DROP_AGENT,)),
        Input.CONFIRMED: (here, (Do.TAKE_AGENT,)),
        Input.AGENT_READY: (State.CONNECTED, (Do.CONNECT_AGENT,)),
        Input.PRESSED: (here, (Do.HEAR_KEY,)),
        Input.CALL_BACK: (State.CONNECTED, (Do.LEAVE_QUEUE, Do.SAY_GOODBYE)),
        Input.ATTEMPT_FAILED: (State.DIALING, (Do.LEAVE_QUEUE, Do.TAKE_NEXT_STEP)),
        Input.ANSWER_HERE: (State.PREPARING, (Do.LEAVE_QUEUE, Do.PREPARE_ENDPOINT)),
        Input.REFERRED: (here, (Do.REFUSE_REFERRAL,)),
        Input.MEDIA_TIMEOUT: (here, (Do.PROBE,)),
        Input.CALLER_CANCELLED: gone,
        Input.CALLER_ENDED: gone,
        Input.HANG_UP: (State.ENDED, (Do.CANCEL_DIALLED, Do.REFUSE_BY_COMMAND, Do.FINISH)),
        Input.TOO_LONG: cut,
        Input.MEDIA_LOST: cut,
    }


def _transferring() -> dict[Input, Row]:
    """Rows of an answered call while the place it goes on to is dialled."""
    here = State.TRANSFERRING
    ended: Row = (State.ENDED, (Do.CANCEL_DIALLED, Do.DROP_TRANSFER, Do.FINISH))
    cut: Row = (State.ENDED, (Do.CANCEL_DIALLED, Do.HANG_UP_BOTH, Do.DROP_TRANSFER, Do.FINISH))
    return {
        Input.DIAL: (here, (Do.DIAL,)),
        Input.LOCATED: (here, (Do.INVITE,)),
        Input.CALLEE_TRYING: (here, (Do.STOP_TRY_TIMER,)),
        Input.CALLEE_RINGING: (here, (Do.REPORT_PROGRESS,)),
        Input.CALLEE_AUDIBLE: (here, (Do.HEAR_TARGET,)),
        Input.CALLEE_ANSWERED: (State.CONNECTED, (Do.HAND_OVER, Do.CONNECT)),
        Input.CALLEE_FAILED: (here, (Do.DROP_BRANCH,)),
        Input.CALLEE_ENDED: (here, (Do.DROP_BRANCH,)),
        Input.NO_TRY: (here, (Do.DROP_BRANCH,)),
        Input.NO_PROGRESS: (here, (Do.DROP_BRANCH,)),
        Input.NO_ANSWER: (here, (Do.DROP_ATTEMPT, Do.TAKE_NEXT_STEP)),
        Input.ATTEMPT_FAILED: (here, (Do.TAKE_NEXT_STEP,)),
        Input.ANSWER_HERE: (here, (Do.PREPARE_ENDPOINT,)),
        Input.AUDIO_READY: (State.CONNECTED, (Do.HAND_OVER, Do.CONNECT_ENDPOINT)),
        Input.WAIT: (State.QUEUED, (Do.HAND_OVER, Do.ENTER_QUEUE)),
        Input.GIVE_UP: (here, (Do.FAIL_TRANSFER,)),
        Input.RETURN: (State.CONNECTED, (Do.GO_BACK,)),
        Input.ABANDONED: (State.ENDED, (Do.REFUSE_CALLER, Do.FINISH)),
        Input.LEAVER_ENDED: (here, (Do.LET_LEAVER_GO,)),
        Input.LISTEN: (here, (Do.LISTEN,)),
        Input.REFERRED: (here, (Do.REFUSE_REFERRAL,)),
        Input.MEDIA_TIMEOUT: (here, (Do.PROBE,)),
        Input.CALLER_ENDED: ended,
        Input.CALLER_CANCELLED: ended,
        Input.HANG_UP: cut,
        Input.TOO_LONG: cut,
        Input.MEDIA_LOST: cut,
    }


_ALIVE: Final = tuple(state for state in State if state is not State.ENDED)

OF_MESSAGES: Final = (Input.PRESSED, Input.TALKED, Input.MESSAGE, Input.MESSAGE_DUE)

_CAN_GO_ON: Final = (State.DIALING, State.RINGING, State.CONNECTED)  # in which legs may go over to another call

TABLE: Final[dict[tuple[State, Input], Row]] = {  # a missing row means: ignore
    **{(state, Input.BROKEN): (State.ENDED, (Do.BREAK_OFF, Do.FINISH)) for state in _ALIVE},
    **{(state, Input.CHANGE): (state, (Do.CARRY_CHANGE,)) for state in _ALIVE},
    (State.NEW, Input.ORIGINATE): (State.ORIGINATING, (Do.RING_FIRST,)),
    **{(State.ORIGINATING, what): row for what, row in _originating().items()},
    (State.NEW, Input.START): (State.DIALING, (Do.TAKE_FIRST_STEP,)),
    **{(here, what): row for here in (State.DIALING, State.RINGING) for what, row in _dialling(here).items()},
    **{(State.QUEUED, what): row for what, row in _queued().items()},
    (State.PREPARING, Input.AUDIO_READY): (State.CONNECTED, (Do.CONNECT_ENDPOINT,)),
    (State.PREPARING, Input.ATTEMPT_FAILED): (State.DIALING, (Do.TAKE_NEXT_STEP,)),
    (State.PREPARING, Input.CALLER_CANCELLED): (State.ENDED, (Do.CANCEL_DIALLED, Do.FINISH)),
    (State.PREPARING, Input.CALLER_ENDED): (State.ENDED, (Do.CANCEL_DIALLED, Do.FINISH)),
    (State.PREPARING, Input.HANG_UP): (State.ENDED, (Do.REFUSE_BY_COMMAND, Do.FINISH)),
    (State.CONNECTED, Input.CALLER_CANCELLED): (State.ENDED, (Do.HANG_UP_CALLEE, Do.FINISH)),  # our 200 was held back
    (State.CONNECTED, Input.CALLER_ENDED): (State.ENDED, (Do.HANG_UP_CALLEE, Do.FINISH)),
    (State.CONNECTED, Input.CALLEE_ENDED): (State.ENDED, (Do.HANG_UP_CALLER, Do.FINISH)),
    **{(state, Input.REFERRED): (state, (Do.REFUSE_REFERRAL,)) for state in (State.DIALING, State.RINGING)},
    (State.PREPARING, Input.REFERRED): (State.PREPARING, (Do.REFUSE_REFERRAL,)),
    (State.CONNECTED, Input.REFERRED): (State.CONNECTED, (Do.JUDGE_REFERRAL,)),
    (State.CONNECTED, Input.TRANSFER): (State.TRANSFERRING, (Do.BEGIN_TRANSFER,)),
    **{(State.TRANSFERRING, what): row for what, row in _transferring().items()},
    (State.CONNECTED, Input.REPLACE): (State.CONNECTED, (Do.REPLACE_LEG,)),
    (State.RINGING, Input.REPLACE): (State.RINGING, (Do.PICK_UP,)),
    (State.TRANSFERRING, Input.REPLACE): (State.TRANSFERRING, (Do.REFUSE_REPLACING,)),
    (State.CONNECTED, Input.ATTEND): (State.CONNECTED, (Do.ATTEND,)),
    (State.CONNECTED, Input.DEPART): (State.CONNECTED, (Do.BRIDGE_AGAIN,)),
    (State.CONNECTED, Input.MEMBER_ENDED): (State.CONNECTED, (Do.LET_MEMBER_GO,)),
    (State.CONNECTED, Input.LISTEN): (State.CONNECTED, (Do.LISTEN,)),
    (State.CONNECTED, Input.UNITE): (State.CONNECTED, (Do.BRIDGE_AGAIN,)),
    (State.CONNECTED, Input.PART): (State.CONNECTED, (Do.PART,)),
    (State.CONNECTED, Input.HOLD): (State.CONNECTED, (Do.HOLD,)),
    (State.PREPARING, Input.RING): (State.PREPARING, (Do.RING_CALLER,)),
    (State.CONNECTED, Input.JOIN): (State.CONNECTED, (Do.JOIN_CALL,)),
    **{(state, Input.TRANSFERRED): (State.ENDED, (Do.END_TRANSFERRED, Do.FINISH)) for state in _CAN_GO_ON},
    **{(State.CONNECTED, what): (State.CONNECTED, (Do.TAKE_MESSAGE,)) for what in OF_MESSAGES},
    (State.CONNECTED, Input.PLAYED): (State.ENDED, (Do.HANG_UP_CALLER, Do.FINISH)),
    (State.CONNECTED, Input.MEDIA_TIMEOUT): (State.CONNECTED, (Do.PROBE,)),
    (State.CONNECTED, Input.MEDIA_LOST): (State.ENDED, (Do.HANG_UP_BOTH, Do.FINISH)),
    (State.CONNECTED, Input.TOO_LONG): (State.ENDED, (Do.HANG_UP_BOTH, Do.FINISH)),
    (State.CONNECTED, Input.HANG_UP): (State.ENDED, (Do.HANG_UP_BOTH, Do.FINISH)),
}
