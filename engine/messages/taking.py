"""A call whose caller leaves a message: the course of it carried out, by what the call hears and plays."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from santral.engine.calls import playing
from santral.engine.calls.dialer import Failure, Fault
from santral.engine.calls.joins import Endpoint
from santral.engine.calls.leg import Leg
from santral.engine.calls.playing import Playing
from santral.engine.calls.table import Heard, Input
from santral.engine.config.sounds import Sound
from santral.engine.media import MediaError, PreparedAudio
from santral.engine.messages.course import Course, Do, Fact
from santral.engine.messages.settings import Message
from santral.routing.plan import TakeMessage

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.recordings.recording import Recording

NOT_THERE: Final = Failure(Fault.REFUSED, 480)  # its table is gone; another destination may do
NO_LICENCE: Final = Failure(Fault.REFUSED, 486)  # as for calls that are to be recorded and cannot be
NO_SOUND: Final = Failure(Fault.REFUSED, 500)
HUNG_UP, ENDED, MOVED = "hung_up", "ended", "moved"
TOO_SHORT, NOT_RECORDED = "too_short", "not_recorded"


class Prepared(NamedTuple):
    """All that the taking of a message needs."""

    message: Message
    greeting: PreparedAudio
    tone: PreparedAudio
    thanks: PreparedAudio


async def prepare(call: "Call", what: TakeMessage, codec: str) -> None:
    """Before the caller is answered: may the message be recorded, and are the sounds there?"""
    message = call.world.messages.get(what.message)
    if message is None or message.tenant != call.tenant:
        call.post(Input.ATTEMPT_FAILED, NOT_THERE)
        return
    if not call.services.recordings.reserve(call):
        call.post(Input.ATTEMPT_FAILED, NO_LICENCE)
        return

    async def ready(sound: Sound) -> PreparedAudio | None:
        return await playing.prepare(call, call.caller, str(sound.file), str(sound.folder), codec)

    greeting, tone, thanks = [await ready(one) for one in (message.greeting, message.tone, message.thanks)]
    if greeting is None or tone is None or thanks is None:
        call.services.recordings.release(call)
        call.post(Input.ATTEMPT_FAILED, NO_SOUND)
    else:
        call.post(Input.AUDIO_READY, Prepared(message, greeting, tone, thanks))


class Taking(Endpoint):
    """The caller leaves a message. Whatever else the call turns to ends that."""

    def __init__(self, call: "Call", leg: Leg, what: Prepared) -> None:
        super().__init__(call, leg)
        self._leg, self._what = leg, what
        self._course = Course(what.message.limits)
        self._recording: Recording | None = None

    @property
    def _now(self) -> float:
        return self._call.services.loop.time()

    def begin(self) -> None:
        """The caller can hear."""
        self._listen("voice")
        self._play(self._what.message.greeting, self._what.greeting, Fact.GREETED)

    def _listen(self, *kinds: Any) -> None:
        self._leg.rtp.detect(*kinds, *(("dtmf",) if self._leg.party.dtmf == "inband" else ()))

    def _play(self, sound: Sound, audio: PreparedAudio, then: Fact) -> None:
        call = self._call

        def tell(_reason: str) -> None:
            call.post(Input.MESSAGE, then)

        try:
            playing.begin(call, Playing(self._leg, str(sound.file), on_end=tell), audio)
        except MediaError as problem:
            call.log.error("cannot play", file=str(sound.file), error=str(problem))
            call.post(Input.MESSAGE, then)

    # ---- facts ----

    def take(self, what: Input, data: Any) -> None:
        """An input of the call, while its caller leaves a message."""
        course, now = self._course, self._now
        match what:
            case Input.PRESSED:
                self._do(course.press(data.data, now) if data.leg is self._leg else None)
            case Input.TALKED:
                self._hear(data)
            case Input.MESSAGE_DUE:
                self._do(course.tick(now))
            case Input.MESSAGE:
                self._do(course.take(data, now))
        self._rearm()

    def _hear(self, heard: Heard) -> None:
        if heard.leg is not self._leg:
            return
        if heard.data is None:
            self._course.talks(self._now)
        else:
            self._course.falls_silent(heard.data / 1000, self._now)

    def _rearm(self) -> None:
        due = self._course.next_deadline()
        if due is None:
            self._call.disarm(Input.MESSAGE_DUE)
        else:
            self._call.arm(Input.MESSAGE_DUE, max(0.0, due - self._now))

    def end(self) -> None:
        """The caller has gone, or the call turns to something else."""
        call = self._call
        call.disarm(Input.MESSAGE_DUE)
        by_caller = call.outcome.by == "caller"
        reason = MOVED if not call.is_finished else HUNG_UP if by_caller else ENDED
        self._do(self._course.take(Fact.GONE, self._now, reason))
        if not call.is_finished and self._leg.is_open and self._leg.rtp.final is None:
            playing.leave(call, self._leg)
            self._listen()
        call.services.recordings.release(call)

    # ---- what is done ----

    def _do(self, do: Do | None) -> None:
        match do:
            case Do.SOUND_TONE:
                self._play(self._what.message.tone, self._what.tone, Fact.TONED)
            case Do.RECORD:
                self._record()
            case Do.FINISH:
                self._finish()
                self._say_goodbye()
            case Do.STOP:
                self._finish()

    def _record(self) -> None:
        call, name = self._call, self._what.message.name

        def lost() -> None:
            call.post(Input.MESSAGE, Fact.LOST)

        self._recording = call.services.recordings.take_message(call, self._leg, name, lost)
        if self._recording is None:
            self._do(self._course.take(Fact.LOST, self._now, NOT_RECORDED))
            return
        call.emit("message.started", message=name, queue=self._queue, recording=self._recording.id)

    def _finish(self) -> None:
        """The recording is over: it is a message, or nothing."""
        call, course, one = self._call, self._course, self._recording
        self._recording = None
        name, queue, ms = self._what.message.name, self._queue, round(1000 * course.heard_s)
        if one is None:
            if course.reason:
                call.emit("message.discarded", message=name, queue=queue, reason=course.reason, ms=ms)
        elif course.is_kept or one.is_closed:
            call.services.recordings.end_message(call, one, course.reason, keep=True)
            call.emit(
                "message.left",
                message=name,
                queue=queue,
                recording=one.id,
                reason=course.reason,
                ms=ms,
                caller=call.facts.caller,
            )
        else:
            call.services.recordings.end_message(call, one, TOO_SHORT, keep=False)
            call.emit("message.discarded", message=name, queue=queue, reason=TOO_SHORT, ms=ms)

    def _say_goodbye(self) -> None:
        """Thanks for a message; whoever left none hears nothing more."""
        call, sound = self._call, self._what.message.thanks
        if self._course.is_kept:
            playing.start(call, Playing(self._leg, str(sound.file), then=Input.PLAYED), self._what.thanks)
        else:
            call.post(Input.PLAYED)

    @property
    def _queue(self) -> str | None:
        """The queue the caller came by."""
        return self._call.service.queue or None


def hear(call: "Call", what: Input, data: Any) -> None:
    """Something that is nothing to a call whose caller leaves no message."""
    if isinstance(call.join, Taking):
        call.join.take(what, data)
