"""What may be asked of a call's audio: playing, collecting and sending digits, listening, muting.

Everything wrong is said at once, as the `RequestError` a control client gets; what happens then is told by events.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from santral.engine.acd.desk import Wish, supervised
from santral.engine.calls import digits, negotiation, playing, waiting
from santral.engine.calls.actions import conferring
from santral.engine.calls.actions.midcall import Holding
from santral.engine.calls.collecting import Collecting, Wanted
from santral.engine.calls.joins import Attendance, Bridge
from santral.engine.calls.leg import Leg, Role
from santral.engine.calls.playing import Manner, Playing
from santral.engine.calls.table import Input, State
from santral.engine.conferences import Manners
from santral.engine.config.sounds import Sound, SoundError, find_sound
from santral.engine.control.protocol import RequestError
from santral.engine.media import AudioError, MediaError, PreparedAudio
from santral.engine.recordings import masking
from santral.engine.recordings.policy import Channels
from santral.sip.errors import NotAcceptable

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.recordings.recording import Recording

MAX_FILES: Final = 16  # of one list
BEFORE_THE_ANSWER: Final = (State.DIALING, State.RINGING, State.PREPARING)


class Verbs:
    """One call's. `leg` is the id of a leg, or its role; None: both."""

    def __init__(self, call: "Call") -> None:
        self._call = call

    # ---- whom it is about ----

    def legs(self, which: str | None) -> list[Leg]:
        """The legs that are meant, all of them with audio."""
        call = self._call
        known = list(call.roles.values())
        chosen = [leg for leg in known if which in {None, leg.id, leg.role.value}]
        if not chosen and which is not None:
            raise RequestError("not_found", "the call has no such leg", {"leg": which})
        ready = [leg for leg in chosen if leg.is_open and leg.media is not None and leg.media.remote is not None]
        if not ready or (which is not None and len(ready) < len(chosen)):
            raise RequestError(
                "bad_state", "there is no audio with this leg yet, or no more", {"state": call.state.value}
            )
        return ready

    def leg(self, which: str | None, usual: Role) -> Leg:
        """One leg: the one that is meant, else the one in its usual role."""
        return self.legs(which or usual.value)[0]

    # ---- playing ----

    async def play(self, files: Sequence[str], leg: str | None, manner: Manner) -> list[dict[str, Any]]:
        """Play files, one after the other; answers when they have begun."""
        legs = self.legs(leg)
        ready = [(one, await self._prepared(one, files)) for one in legs]
        started = []
        for one, audio in ready:
            play_id = self._start(one, files, audio, manner)
            started.append({"leg": one.id, "play": play_id})
        return started

    async def _prepared(self, leg: Leg, files: Sequence[str]) -> list[PreparedAudio]:
        """Each file as this leg can be played it; RequestError names the first that cannot be played."""
        if not 0 < len(files) <= MAX_FILES:
            raise RequestError("bad_params", f"file: must be 1 to {MAX_FILES} files", {"fields": ["file"]})
        return [await self._decoded(leg, self._found(file), file) for file in files]

    def _found(self, file: str) -> Sound:
        tenant = self._call.world.config.tenants[self._call.tenant]
        try:
            return find_sound(file, tenant.sounds, tenant.language)
        except SoundError as problem:
            raise RequestError("cannot_play", str(problem), {"file": file}) from None

    async def _decoded(self, leg: Leg, sound: Sound, file: str) -> PreparedAudio:
        try:
            return await self._call.services.audio.prepare(sound.file, leg.rtp.sample_hz, sound.folder)
        except AudioError as problem:
            raise RequestError("cannot_play", f"{file}: {problem.reason}", {"file": file}) from None

    def _start(
        self,
        leg: Leg,
        files: Sequence[str],
        audio: Sequence[PreparedAudio],
        manner: Manner,
        on_end: Any = None,
    ) -> int:
        call = self._call
        if not leg.is_open or call.is_finished:
            raise RequestError("bad_state", "the call has ended meanwhile", {"state": call.state.value})

        def ended(reason: str) -> None:
            if on_end is not None:
                on_end(reason)
            if reason != "replaced":
                waiting.resume(call, leg)

        what = Playing(leg, files[0], manner, on_end=ended, is_asked=True)
        try:
            return playing.begin(call, what, audio)
        except (ValueError, MediaError) as problem:
            raise RequestError("bad_params", str(problem)) from None

    def stop(self, leg: str | None) -> int:
        """End what commands have begun: what is played, and what is collected. Answers how much that was."""
        call, legs = self._call, self.legs(leg)
        collecting = [call.collecting[one.id] for one in legs if one.id in call.collecting]
        for collection in collecting:
            collection.finish("stopped")
        asked = [one for one in legs if any(play.leg is one and play.is_asked for play in call.plays.values())]
        for one in asked:
            playing.stop(call, one)
        return len(asked) + len(collecting)

    # ---- digits ----

    async def collect(self, files: Sequence[str], leg: str | None, stop_on: str, wanted: Wanted) -> dict[str, Any]:
        """Collect digits of one leg, the caller's where nothing else is said; answers when that is over."""
        call, chosen = self._call, self.leg(leg, Role.CALLER)
        audio = await self._prepared(chosen, files) if files else []
        if chosen.id in call.collecting:
            raise RequestError("bad_state", "digits of this leg are being collected already", {"leg": chosen.id})
        if not chosen.is_open or call.is_finished:
            raise RequestError("bad_state", "the call has ended meanwhile", {"state": call.state.value})
        collecting = Collecting(call, chosen, wanted)
        try:
            manner = Manner(stop_on=stop_on)
            collecting.prompt(lambda tell: self._start(chosen, files, audio, manner, tell) if audio else None)
            reason = await asyncio.shield(collecting.done)
        finally:
            collecting.finish("stopped")
        return {"digits": collecting.digits, "reason": reason, "leg": chosen.id}

    def send_digits(self, keys: str, leg: str | None, ms: int, gap_ms: int) -> dict[str, Any]:
        """Press keys towards one leg's peer, the connected one where nothing else is said."""
        chosen = self.leg(leg, Role.CALLEE)
        try:
            digits.send(self._call, chosen, keys.upper(), ms, gap_ms)
        except MediaError as problem:
            raise RequestError("bad_params", str(problem), {"fields": ["digits"]}) from None
        return {"leg": chosen.id, "digits": len(keys)}

    # ---- hearing ----

    def detect(self, kinds: Sequence[str], leg: str | None) -> list[str]:
        """Listen to legs for these, and for nothing else that was asked for before."""
        legs = self.legs(leg)
        for one in legs:
            try:
                one.rtp.detect(*{*kinds, *(("dtmf",) if one.party.dtmf == "inband" else ())})
            except MediaError as problem:
                raise RequestError("bad_params", str(problem), {"fields": ["kinds"]}) from None
        return [one.id for one in legs]

    def mute(self, leg: str | None, *, on: bool) -> list[str]:
        """What these legs say is heard by nobody, or by everybody again."""
        legs = self.legs(leg)
        for one in legs:
            one.is_muted = on
            one.hush()
        return [one.id for one in legs]

    # ---- before the answer ----

    def _unanswered(self) -> Leg:
        """The caller, while it waits for an answer."""
        call = self._call
        if call.state not in BEFORE_THE_ANSWER or call.caller.is_answered:
            raise RequestError("bad_state", "no caller waits for an answer", {"state": call.state.value})
        return call.caller

    def ring(self) -> None:
        """180 to the caller, whatever rings."""
        self._unanswered()
        self._call.post(Input.RING)

    def answer(self) -> None:
        """The caller is answered now, with the first codec of its trunk that it offers; what is dialled rings on."""
        caller = self._unanswered()
        if self._call.state is State.PREPARING or caller.remote is None:
            raise RequestError("bad_state", "the caller is answered when somebody is there, not before", {})
        try:
            agreement = negotiation.answer_locally(caller.peer, caller.party.codecs, caller.party.dtmf)
        except NotAcceptable:
            raise RequestError("bad_state", "the caller offers no codec of its trunk", {}) from None
        self._call.post(Input.ANSWER, agreement)

    def reject(self, status: int | None, by: str) -> None:
        """The caller is refused."""
        self._unanswered()
        self._call.hang_up(status, by)

    # ---- who hears whom ----

    def _bridge(self) -> Bridge:
        call = self._call
        if call.state is not State.CONNECTED or not isinstance(call.join, Bridge):
            raise RequestError("bad_state", "no two legs of the call hear each other", {"state": call.state.value})
        return call.join

    def hold(self, leg: str | None, by: str) -> list[str]:
        """The peers of these legs wait, with music, and nobody hears them."""
        self._bridge()
        return self._keep(Holding(self.legs(leg), True, by))

    def resume(self, leg: str | None, by: str) -> list[str]:
        """They are back."""
        self._bridge()
        return self._keep(Holding(self.legs(leg), False, by))

    def _keep(self, holding: Holding) -> list[str]:
        self._call.post(Input.HOLD, holding)
        return [one.id for one in holding.legs]

    def part(self) -> list[str]:
        """The two legs hear the engine alone from now on: what is played to each, else nothing."""
        legs = self._bridge().legs
        self._call.post(Input.PART)
        return [one.id for one in legs]

    def unite(self) -> list[str]:
        """The two legs hear each other (again)."""
        call = self._call
        legs = self.legs(None) if call.state is State.CONNECTED else []
        if len(legs) < 2 or isinstance(call.join, Bridge):
            raise RequestError("bad_state", "the call has no two legs that are apart", {"state": call.state.value})
        call.post(Input.UNITE)
        return [one.id for one in legs]

    def supervise(self, leg: str | None, wanted: Wish, by: str) -> str:
        """Somebody listens to this leg's call, or more; the id of the supervisor's call."""
        return supervised(self._call.services.queues, self.leg(leg, Role.CALLEE), wanted, by)

    # ---- recording ----

    def record(self, channels: Channels | None, custom: dict[str, str], *, beside: bool = False) -> "Recording":
        """Record the call from now on; `beside` what records it already."""
        return self._call.services.recordings.start(self._call, channels, custom, beside=beside)

    def mask(self, *, on: bool) -> None:
        """Nobody learns what is said and pressed from now on, or everybody again."""
        if self._call.is_finished:
            raise RequestError("bad_state", "the call has ended", {"state": self._call.state.value})
        if on:
            masking.add(self._call, masking.BY_COMMAND)
        else:
            masking.drop(self._call, masking.BY_COMMAND)

    # ---- conferences ----

    async def join(self, name: str, manners: Manners) -> None:
        """Everybody in the call takes part in this conference of its tenant."""
        call = self._call
        if call.state is not State.CONNECTED:
            raise RequestError("bad_state", "the call is not answered", {"state": call.state.value})
        try:
            wanted = await conferring.attending(call, name, manners)
        except AudioError as problem:
            raise RequestError("cannot_play", str(problem), {"file": problem.path}) from None
        legs = self.legs(None)
        if isinstance(call.join, Attendance) and call.join.conference.name == name:
            raise RequestError("bad_state", "the call is in this conference already", {"name": name})
        standing = call.services.conferences.find(call.tenant, name)
        if manners.whisper_to and (standing is None or manners.whisper_to not in standing.members):
            raise RequestError("not_found", "nobody to whisper to", {"leg": manners.whisper_to})
        objection = None if standing is None else standing.objection(len(legs))
        if objection is not None:
            raise RequestError("bad_state", f"the conference is {objection}", {"name": name})
        call.post(Input.ATTEND, wanted)

    def _attendance(self) -> Attendance:
        join = self._call.join
        if not isinstance(join, Attendance):
            raise RequestError("bad_state", "the call is in no conference", {"call": self._call.id})
        return join

    def leave(self, reason: str) -> str:
        """Out of the conference; its name."""
        join = self._attendance()
        join.reason = reason
        self._call.post(Input.DEPART)
        return join.conference.name

    def change_member(self, leg: str | None, wish: Manners) -> list[str]:
        """These legs take part in their conference in another manner."""
        join = self._attendance()
        members = join.conference.members
        legs = [one for one in self.legs(leg) if one.id in members]
        if wish.whisper_to and (wish.whisper_to not in members or wish.whisper_to in {one.id for one in legs}):
            raise RequestError("not_found", "nobody to whisper to", {"leg": wish.whisper_to})
        if wish.deaf is False and self._call.services.queues.supervising.is_shut_out(self._call):
            raise RequestError("bad_state", "what the supervisor listens to is masked", {"call": self._call.id})
        for one in legs:
            join.conference.change(one, wish)
        return [one.id for one in legs]
