"""The course of a call as a table: (state, input) → (next state, actions). `call.py` applies it."""

from enum import Enum, auto
from typing import Final


class State(Enum):
    NEW = "new"
    DIALING = "dialing"
    RINGING = "ringing"
    PREPARING = "preparing"  # an endpoint of our own gets its audio ready
    CONNECTED = "connected"
    ENDED = "ended"


class Input(Enum):
    START = auto()
    DIAL = auto()  # (Dial)
    LOCATED = auto()  # (Invite, Hop or None): the answer to a name look-up
    ANSWER_HERE = auto()  # (AnswerHere)
    GIVE_UP = auto()  # (GiveUp)
    AUDIO_READY = auto()  # (PreparedAudio)
    CALLEE_TRYING = auto()
    CALLEE_RINGING = auto()  # (status)
    CALLEE_ANSWERED = auto()
    CALLEE_FAILED = auto()  # (Failure)
    NO_TRY = auto()
    NO_PROGRESS = auto()
    NO_ANSWER = auto()
    CALLER_CANCELLED = auto()  # (Reason values)
    CALLER_ENDED = auto()  # (cause)
    CALLEE_ENDED = auto()  # (cause)
    CHANGE = auto()  # (Leg, News, data): re-INVITE and INFO inside the call
    PLAYED = auto()
    MEDIA_TIMEOUT = auto()  # (Leg)
    MEDIA_LOST = auto()
    TOO_LONG = auto()
    HANG_UP = auto()  # (status or None, by)
    BROKEN = auto()  # our own bug


class Do(Enum):
    """Actions, each the name of a method of `Call`."""

    TAKE_FIRST_STEP = "take_first_step"
    DIAL_CALLEE = "dial_callee"
    INVITE_CALLEE = "invite_callee"
    STOP_TRY_TIMER = "stop_try_timer"
    CARRY_PROGRESS = "carry_progress"
    DROP_ATTEMPT = "drop_attempt"
    TAKE_NEXT_STEP = "take_next_step"
    CONNECT = "connect"
    PREPARE_ENDPOINT = "prepare_endpoint"
    CONNECT_ENDPOINT = "connect_endpoint"
    CARRY_CHANGE = "carry_change"
    PROBE = "probe"
    REFUSE_CALLER = "refuse_caller"
    REFUSE_BY_COMMAND = "refuse_by_command"
    CANCEL_CALLEE = "cancel_callee"
    HANG_UP_CALLEE = "hang_up_callee"
    HANG_UP_CALLER = "hang_up_caller"
    HANG_UP_BOTH = "hang_up_both"
    BREAK_OFF = "break_off"
    FINISH = "finish"


_DIALLING: Final = {  # rows that hold while a callee is tried, whether it rings or not
    Input.CALLEE_RINGING: (State.RINGING, (Do.CARRY_PROGRESS,)),
    Input.CALLEE_ANSWERED: (State.CONNECTED, (Do.CONNECT,)),
    Input.CALLEE_FAILED: (State.DIALING, (Do.TAKE_NEXT_STEP,)),
    Input.CALLEE_ENDED: (State.DIALING, (Do.TAKE_NEXT_STEP,)),
    Input.NO_ANSWER: (State.DIALING, (Do.DROP_ATTEMPT, Do.TAKE_NEXT_STEP)),
    Input.DIAL: (State.DIALING, (Do.DIAL_CALLEE,)),
    Input.ANSWER_HERE: (State.PREPARING, (Do.PREPARE_ENDPOINT,)),
    Input.GIVE_UP: (State.ENDED, (Do.REFUSE_CALLER, Do.FINISH)),
    Input.CALLER_CANCELLED: (State.ENDED, (Do.CANCEL_CALLEE, Do.FINISH)),
    Input.CALLER_ENDED: (State.ENDED, (Do.CANCEL_CALLEE, Do.FINISH)),
    Input.HANG_UP: (State.ENDED, (Do.CANCEL_CALLEE, Do.REFUSE_BY_COMMAND, Do.FINISH)),
}
_ALIVE: Final = (State.NEW, State.DIALING, State.RINGING, State.PREPARING, State.CONNECTED)

TABLE: Final[dict[tuple[State, Input], tuple[State, tuple[Do, ...]]]] = {  # a missing row means: ignore
    **{(state, Input.BROKEN): (State.ENDED, (Do.BREAK_OFF, Do.FINISH)) for state in _ALIVE},
    **{(state, Input.CHANGE): (state, (Do.CARRY_CHANGE,)) for state in _ALIVE},
    (State.NEW, Input.START): (State.DIALING, (Do.TAKE_FIRST_STEP,)),
    **{(State.DIALING, what): row for what, row in _DIALLING.items()},
    **{(State.RINGING, what): row for what, row in _DIALLING.items()},
    (State.DIALING, Input.LOCATED): (State.DIALING, (Do.INVITE_CALLEE,)),
    (State.DIALING, Input.CALLEE_TRYING): (State.DIALING, (Do.STOP_TRY_TIMER,)),
    (State.DIALING, Input.NO_TRY): (State.DIALING, (Do.DROP_ATTEMPT, Do.TAKE_NEXT_STEP)),
    (State.DIALING, Input.NO_PROGRESS): (State.DIALING, (Do.DROP_ATTEMPT, Do.TAKE_NEXT_STEP)),
    (State.PREPARING, Input.AUDIO_READY): (State.CONNECTED, (Do.CONNECT_ENDPOINT,)),
    (State.PREPARING, Input.CALLEE_FAILED): (State.DIALING, (Do.TAKE_NEXT_STEP,)),
    (State.PREPARING, Input.CALLER_CANCELLED): (State.ENDED, (Do.FINISH,)),
    (State.PREPARING, Input.CALLER_ENDED): (State.ENDED, (Do.FINISH,)),
    (State.PREPARING, Input.HANG_UP): (State.ENDED, (Do.REFUSE_BY_COMMAND, Do.FINISH)),
    (State.CONNECTED, Input.CALLER_ENDED): (State.ENDED, (Do.HANG_UP_CALLEE, Do.FINISH)),
    (State.CONNECTED, Input.CALLEE_ENDED): (State.ENDED, (Do.HANG_UP_CALLER, Do.FINISH)),
    (State.CONNECTED, Input.PLAYED): (State.ENDED, (Do.HANG_UP_CALLER, Do.FINISH)),
    (State.CONNECTED, Input.MEDIA_TIMEOUT): (State.CONNECTED, (Do.PROBE,)),
    (State.CONNECTED, Input.MEDIA_LOST): (State.ENDED, (Do.HANG_UP_BOTH, Do.FINISH)),
    (State.CONNECTED, Input.TOO_LONG): (State.ENDED, (Do.HANG_UP_BOTH, Do.FINISH)),
    (State.CONNECTED, Input.HANG_UP): (State.ENDED, (Do.HANG_UP_BOTH, Do.FINISH)),
}
