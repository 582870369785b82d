"""Collecting the digits a leg's peer presses: behind a prompt, until there are enough or they stop coming."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from santral.engine.calls import playing
from santral.engine.calls.leg import Leg
from santral.engine.recordings import masking

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.config.sounds import Sound

MAX_LENGTH: Final = 64  # digits of one collection
HIDDEN: Final = "*"
KEY_AGAIN_S: Final = 4.0  # how long one key is waited for before it is asked for again


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which digits, and for how long they are waited for (seconds).

    `length` 0: as many as come. `timeout_s` runs from the end of the prompt to the first digit, `digit_timeout_s` from
    digit to digit. `secure`: nobody but who asked learns them.
    """

    length: int = 0
    timeout_s: float = 5.0
    digit_timeout_s: float = 3.0
    terminator: str = "#"
    secure: bool = False


class Collecting:
    """One collection. `done` has the reason when it is over: length, terminator, timeout, digit_timeout, stopped (by a
    command) or ended (the leg has gone). Its leg's digits go nowhere else meanwhile.
    """

    def __init__(self, call: "Call", leg: Leg, wanted: Wanted) -> None:
        self.wanted: Final = wanted
        self.digits = ""
        self.done: Final[asyncio.Future[str]] = call.services.loop.create_future()
        self._call, self._leg = call, leg
        self._is_prompting = False
        self._timer: asyncio.TimerHandle | None = None
        call.collecting[leg.id] = self
        leg.rtp.gate("mask" if wanted.secure else "swallow")
        if wanted.secure:
            masking.add(call, leg.id)

    def prompt(self, start: Callable[[Callable[[str], None]], int | None]) -> None:
        """Have the prompt played by `start`, which is given what is to be told of its end; time runs from there."""
        self._is_prompting = start(self._prompted) is not None
        self._rearm()

    def _prompted(self, _reason: str) -> None:
        self._is_prompting = False
        self._rearm()

    def press(self, digit: str) -> None:
        if self.done.done():
            return
        if digit in self.wanted.terminator:
            self.finish("terminator")
            return
        self.digits += digit
        if len(self.digits) >= (self.wanted.length or MAX_LENGTH):
            self.finish("length")
        else:
            self._rearm()

    def _rearm(self) -> None:
        """Wait for the next digit; as long as the prompt is heard there is time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_prompting or self.done.done():
            return
        wanted = self.wanted
        delay_s, reason = (wanted.digit_timeout_s, "digit_timeout") if self.digits else (wanted.timeout_s, "timeout")
        self._timer = self._call.services.loop.call_later(delay_s, self.finish, reason)

    def finish(self, reason: str) -> None:
        """Over: the prompt ends, digits take their usual way again."""
        if self.done.done():
            return
        self.done.set_result(reason)
        if self._timer is not None:
            self._timer.cancel()
        call, leg = self._call, self._leg
        call.collecting.pop(leg.id, None)
        if leg.media is not None and leg.media.final is None:
            leg.media.gate("mask" if call.is_masked else "pass")
            if self._is_prompting:
                playing.stop(call, leg)
        if call.is_masked:
            call.gated.add(leg.id)
        if self.wanted.secure:
            masking.drop_later(call, leg.id)
        shown = HIDDEN * len(self.digits) if self.wanted.secure else self.digits
        call.emit("collect.finished", leg=leg.id, digits=shown, reason=reason)


async def key_pressed(
    call: "Call", leg: Leg, key: str, prompt: "Sequence[Sound]", is_wanted: Callable[[], bool]
) -> bool:
    """Ask this leg until its peer presses the key; False when it has gone, or nobody wants it any more."""
    audio = await playing.prepare_all(call, leg, prompt)
    while leg.is_open and is_wanted() and leg.id not in call.collecting:
        collecting = Collecting(call, leg, Wanted(length=1, timeout_s=KEY_AGAIN_S, terminator=""))

        def begin(tell: Callable[[str], None]) -> int | None:
            if not audio:
                return None
            return playing.begin(call, playing.Playing(leg, str(prompt[0].file), on_end=tell), audio)

        collecting.prompt(begin)
        await collecting.done
        if collecting.digits == key:
            return is_wanted()
    return False
