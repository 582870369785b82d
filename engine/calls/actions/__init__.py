"""What the rows of a call's table do: one function per `Do`, each (call, input, what came with it)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from santral.engine.calls.actions import (
    beginning,
    conferring,
    connecting,
    dialling,
    ending,
    midcall,
    moving,
    originating,
    replacing,
    ringing,
    transferring,
)
from santral.engine.calls.table import Do, Input

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

PERFORM: Final[dict[Do, Callable[["Call", Input, Any], None]]] = {
    Do.TAKE_FIRST_STEP: beginning.take_first_step,
    Do.RING_FIRST: originating.ring_first,
    Do.CALL_ON: originating.call_on,
    Do.NOT_REACHED: originating.not_reached,
    Do.CALL_OFF: originating.call_off,
    Do.DIAL: dialling.dial,
    Do.INVITE: dialling.invite,
    Do.STOP_TRY_TIMER: ringing.stop_try_timer,
    Do.CARRY_PROGRESS: ringing.carry_progress,
    Do.HEAR_AUDIO: ringing.hear_audio,
    Do.HEAR_ANOTHER: ringing.hear_another,
    Do.DROP_BRANCH: dialling.drop_branch,
    Do.DROP_ATTEMPT: dialling.drop_attempt,
    Do.TAKE_NEXT_STEP: dialling.take_next_step,
    Do.CONNECT: connecting.connect,
    Do.PREPARE_ENDPOINT: connecting.prepare_endpoint,
    Do.CONNECT_ENDPOINT: connecting.connect_endpoint,
    Do.CARRY_CHANGE: midcall.carry_change,
    Do.JUDGE_REFERRAL: transferring.judge,
    Do.REFUSE_REFERRAL: transferring.refuse,
    Do.BEGIN_TRANSFER: transferring.begin,
    Do.REPORT_PROGRESS: transferring.report_progress,
    Do.HEAR_TARGET: transferring.hear_target,
    Do.HAND_OVER: transferring.hand_over,
    Do.FAIL_TRANSFER: transferring.fail,
    Do.GO_BACK: transferring.go_back,
    Do.LET_LEAVER_GO: transferring.let_leaver_go,
    Do.DROP_TRANSFER: transferring.drop,
    Do.REPLACE_LEG: replacing.replace_leg,
    Do.PICK_UP: replacing.pick_up,
    Do.REFUSE_REPLACING: replacing.refuse,
    Do.ATTEND: conferring.attend,
    Do.BRIDGE_AGAIN: conferring.bridge_again,
    Do.HOLD: midcall.hold,
    Do.PART: midcall.part,
    Do.RING_CALLER: ringing.ring_caller,
    Do.ANSWER_CALLER: connecting.answer_caller,
    Do.JOIN_CALL: moving.join_call,
    Do.END_TRANSFERRED: moving.end_transferred,
    Do.PROBE: midcall.probe,
    Do.REFUSE_CALLER: ending.refuse_caller,
    Do.REFUSE_BY_COMMAND: ending.refuse_by_command,
    Do.CANCEL_DIALLED: ending.cancel_dialled,
    Do.HANG_UP_CALLEE: ending.hang_up_callee,
    Do.HANG_UP_CALLER: ending.hang_up_caller,
    Do.HANG_UP_BOTH: ending.hang_up_both,
    Do.BREAK_OFF: ending.break_off,
    Do.FINISH: ending.finish,
}
