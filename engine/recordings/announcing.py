"""What those who are recorded hear of it: an announcement when it begins, a short tone from time to time.

While a leg hears either, what the other side says to it is held back. Whatever is played to a leg waits for the
announcement and goes on behind it; while a leg is silently waited for to press digits, the announcement waits. A leg
that is played something misses a tone.
"""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from santral.codecs.tones import sequence
from santral.engine import log
from santral.engine.calls import playing
from santral.engine.calls.leg import Leg
from santral.engine.calls.playing import Playing
from santral.engine.calls.tones import rendered
from santral.engine.config.sounds import Sound
from santral.engine.media import AudioError, MediaError
from santral.engine.recordings.following import is_audible

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.conferences import Conference

RECORDED: Final = sequence((1400, 200), dbm0=-18)  # what is usual where such a tone is asked for
USUAL_HZ: Final = 8000  # of most codecs: an announcement is made ready at this rate before it is known


def prepare(call: "Call", sound: Sound) -> None:
    """Decode it while the call is set up, so that it can be heard before the first word."""
    call.spawn(_decode(call, sound))


async def _decode(call: "Call", sound: Sound) -> None:
    try:
        await call.services.audio.prepare(sound.file, USUAL_HZ, sound.folder)
    except AudioError as problem:
        call.log.error("cannot play", file=problem.path, error=problem.reason)


class RoomAttention:
    """Of one recorded conference: everybody in it hears the announcement and the tones, whoever comes later the
    announcement alone.
    """

    def __init__(self, conference: "Conference", sound: Sound | None, beep_s: float) -> None:
        self._conference, self._beep_s = conference, beep_s
        self._services = next(iter(conference.members.values())).call.services
        self._sound = sound
        self._told = set(conference.members)  # legs
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        if sound is not None:
            self._task = self._services.loop.create_task(self._announce(sound))
        self._rearm()

    def follow(self) -> None:
        """Somebody came or went."""
        for one in self._conference.members.values():
            if self._sound is not None and one.leg.id not in self._told and is_audible(one.leg):
                one.call.spawn(_tell(one.call, one.leg, self._sound))
        self._told = set(self._conference.members)

    def end(self) -> None:
        for one in (self._timer, self._task):
            if one is not None:
                one.cancel()

    async def _announce(self, sound: Sound) -> None:
        try:
            audio = await self._services.audio.prepare(sound.file, self._conference.room.rate_hz, sound.folder)
        except AudioError as problem:
            log.get("recordings").error("cannot play", file=problem.path, error=problem.reason)
            return
        self._conference.announce(audio)

    def _rearm(self) -> None:
        if self._beep_s:
            self._timer = self._services.loop.call_later(self._beep_s, self._beep)

    def _beep(self) -> None:
        self._conference.sound(rendered(RECORDED, self._conference.room.rate_hz))
        self._rearm()


async def _tell(call: "Call", leg: Leg, sound: Sound) -> None:
    """Before whatever else the leg is played."""
    audio = await playing.prepare(call, leg, str(sound.file), str(sound.folder))
    if audio is not None and not call.is_finished and is_audible(leg):
        playing.start(call, Playing(leg, str(sound.file), playing.FIRST), audio)


class Attention:
    """Of one recorded call. Who comes later is told as well, but for agents of queues: they know."""

    def __init__(self, call: "Call", sound: Sound | None, beep_s: float, told: frozenset[str] = frozenset()) -> None:
        self._call, self._sound, self._beep_s = call, sound, beep_s
        self._owed: dict[str, Leg] = {}  # legs that have not heard the announcement
        self._known = set(told)  # legs that have, or are owed it
        self._owe(self._answered())
        self._timer: asyncio.TimerHandle | None = None
        self._rearm()

    def follow(self) -> None:
        """Something has changed in the call: who can hear the announcement now?"""
        sound, agents = self._sound, self._call.services.queues.by_leg
        self._known |= {leg.id for leg in self._answered() if leg.id in agents}
        self._owe(self._answered())
        for leg in list(self._owed.values()):
            if not is_audible(leg):
                del self._owed[leg.id]
            elif sound is not None and self._can_be_told(leg):
                del self._owed[leg.id]
                self._call.spawn(_tell(self._call, leg, sound))

    def _answered(self) -> list[Leg]:
        return [leg for leg in self._call.roles.values() if leg.is_answered and is_audible(leg)]

    def _owe(self, legs: Iterable[Leg]) -> None:
        for leg in legs:
            if self._sound is not None and leg.id not in self._known:
                self._known.add(leg.id)
                self._owed[leg.id] = leg

    def end(self) -> None:
        self._owed.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _can_be_told(self, leg: Leg) -> bool:
        """Now: the time that digits are waited for in silence is not to be talked away."""
        return leg.rtp.can_be_mixed and (leg.id not in self._call.collecting or self._is_played_to(leg))

    def _is_played_to(self, leg: Leg) -> bool:
        return any(one.leg is leg for one in self._call.plays.values())

    def _is_free(self, leg: Leg) -> bool:
        if not is_audible(leg) or not leg.rtp.can_be_mixed or leg.id in self._call.collecting:
            return False
        return not self._is_played_to(leg)

    def _rearm(self) -> None:
        if self._beep_s:
            self._timer = self._call.services.loop.call_later(self._beep_s, self._beep)

    def _beep(self) -> None:
        call = self._call
        for leg in call.roles.values():
            if leg.is_answered and self._is_free(leg):
                try:
                    call.services.plane.play(leg.rtp, rendered(RECORDED, leg.rtp.sample_hz))
                except MediaError as problem:
                    call.log.warning("no tone that tells of the recording", leg=leg.id, error=str(problem))
        self._rearm()
