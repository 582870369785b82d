"""The recordings of this node: which calls and conferences are recorded, from when on, and by whose word.

Calls say nothing of their legs here: after each of its inputs a call is looked at (`follow`), and its recording is
brought to what it has become. A call that nobody wants recorded costs one look into a table.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from santral.engine import log
from santral.engine.config.tables.recording import Record
from santral.engine.control.protocol import RequestError
from santral.engine.ids import new_id
from santral.engine.recordings import announcing
from santral.engine.recordings.announcing import Attention, RoomAttention
from santral.engine.recordings.book import Book
from santral.engine.recordings.captures import Captures
from santral.engine.recordings.following import Scene, Side, has_begun, scene_in, scene_of
from santral.engine.recordings.licences import Licences
from santral.engine.recordings.policy import Channels, Demand, Demander, Manner, decide
from santral.engine.recordings.recording import PauseMode, Recording, Wish
from santral.engine.recordings.supervisor import RecorderProcess
from santral.recorder.keys import KeysError

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg
    from santral.engine.conferences import Conference
    from santral.engine.media import CaptureEvent

FATAL: Final = frozenset({"gone", "exists"})  # troubles that a capture never recovers from
STOPPED: Final = "stopped"
NO_LICENCE: Final = "no_licence"


@dataclass(slots=True)
class Story:
    """What is known of one call's recording."""

    words: dict[Demander, Record] = field(default_factory=dict)
    demand: Demand | None = None  # of the words; None once it has been met
    recording: Recording | None = None
    beside: list[Recording] = field(default_factory=list)  # further ones, by command
    message: Recording | None = None  # that its caller leaves
    message_over: Callable[[], None] | None = None  # told of its end, whoever has ended it
    attention: Attention | None = None

    def running(self) -> tuple[Recording, ...]:
        """All that record the whole call."""
        return () if self.recording is None else (self.recording, *self.beside)


class Recordings:
    """Everything here runs on the engine's loop; files are made by the capture thread and the recorder process."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        captures: Captures,
        book: Book,
        licences: Licences,
        process: RecorderProcess,
    ) -> None:
        self.captures: Final = captures
        self.licences: Final = licences
        self.active: Final[dict[str, Recording]] = {}
        self._loop, self._book, self._process = loop, book, process
        self._stories: dict[str, Story] = {}  # by call
        self._rooms: dict[tuple[str, str], Recording] = {}  # by tenant and conference
        self._told: dict[str, RoomAttention] = {}  # by recording of a conference
        self._closing: set[asyncio.Task[None]] = set()
        self._log = log.get("recordings")

    def __iter__(self) -> Iterator[Recording]:
        return iter(list(self.active.values()))

    def is_running(self, recording: str) -> bool:
        return recording in self.active

    # ---- whether a call is recorded ----

    def refuses(self, call: "Call") -> bool:
        """At the beginning of a call: whether it must be refused, as it is to be recorded and no licence is free."""
        words = call.world.recording.words(call.facts, call.plan)
        if not words:
            return False
        self._stories[call.id] = Story(words)
        return not self._weigh(call)

    def demand(self, call: "Call", by: Demander, word: Record | None) -> bool:
        """Somebody more says whether the call is to be recorded; False: it must be refused. What has begun goes on."""
        if word is not None:
            self._stories.setdefault(call.id, Story()).words[by] = word
        return call.id not in self._stories or self._weigh(call)

    def _weigh(self, call: "Call") -> bool:
        story = self._stories[call.id]
        if story.recording is not None:
            return True
        manner = self._manner(call)
        wanted = decide(story.words)
        if wanted is None:
            story.demand = None
            self.licences.give_back(call.tenant, call.id)
            return True
        if not self.licences.take(call.tenant, call.id, manner.limit):
            story.demand = None
            self._book.impossible(call.tenant, call.id, NO_LICENCE, f"{manner.limit} recordings of {call.tenant} run")
            return manner.over_limit == "continue"
        story.demand = wanted
        if manner.announcement is not None:
            announcing.prepare(call, manner.announcement)
        return True

    @staticmethod
    def _manner(call: "Call") -> Manner:
        return call.world.recording.manners.get(call.tenant, Manner())

    # ---- following ----

    def follow(self, call: "Call") -> None:
        """Bring its recording to what the call is now. Never raises."""
        story = self._stories.get(call.id)
        if story is None:
            return
        try:
            self._follow(call, story)
        except Exception:
            self._log.exception("a recording failed inside the engine", call=call.id)

    def _follow(self, call: "Call", story: Story) -> None:
        if call.is_finished:
            self._forget(call, story)
            return
        if story.demand is not None and has_begun(call, self._manner(call).record_from):
            demand, story.demand = story.demand, None
            self._begin(call, story, self._wish(call, demand.by, demand.channels))
        for one in story.running():
            one.align(scene_of(call))
            self._mask(one, on=call.is_masked)
        if story.message is not None:
            self._mask(story.message, on=call.is_masked)
        if story.attention is not None:
            story.attention.follow()

    def _forget(self, call: "Call", story: Story) -> None:
        del self._stories[call.id]
        if story.attention is not None:
            story.attention.end()
        for one in story.running():
            self._close(one, "call_ended")
        self.licences.give_back(call.tenant, call.id)
        self.release(call)

    def follow_conference(self, conference: "Conference") -> None:
        """Somebody came, went, or was muted; it is over when nobody is left. Calls in it have others' voices too."""
        for call in {member.call.id: member.call for member in conference.members.values()}.values():
            self.follow(call)
        one = self._rooms.get((conference.tenant, conference.name))
        if one is None:
            return
        if conference.members:
            one.align(scene_in(conference))
            if (told := self._told.get(one.id)) is not None:
                told.follow()
        else:
            self._close(one, "conference_ended")

    def go_over(self, call: "Call", other: "Call") -> None:
        """`other` ends, as a leg of it has come to `call`: what records it goes on there, unless that is recorded."""
        source = self._stories.get(other.id)
        if source is None or source.recording is None:
            return
        target = self._stories.setdefault(call.id, Story())
        if target.recording is not None or target.demand is not None:
            return
        running = source.running()
        target.recording, *target.beside = running
        source.recording, source.beside = None, []
        if source.attention is not None:
            source.attention.end()
            source.attention = None
        for one in running:
            one.call = call.id
            call.recordings.append(one.id)
        self._attend(call, target, target.recording.wish.manner, target.recording.legs)

    # ---- beginning and ending ----

    def _wish(self, call: "Call", by: Demander, channels: Channels) -> Wish:
        facts = call.facts
        return Wish(
            tenant=call.tenant,
            by=by,
            channels=channels,
            manner=self._manner(call),
            call=call.id,
            caller=facts.caller,
            called=facts.called,
            queue=call.service.queue,
            custom=dict(call.custom),
        )

    def _begin(self, call: "Call", story: Story, wish: Wish) -> Recording | None:
        one = self._open(wish, call.id)
        if one is None:
            return None
        is_first = story.recording is None
        if is_first:
            story.recording = one
        else:
            story.beside.append(one)
        call.recordings.append(one.id)
        one.align(scene_of(call))
        self._mask(one, on=call.is_masked)
        if is_first:
            self._attend(call, story, wish.manner)
        return one

    def _attend(self, call: "Call", story: Story, manner: Manner, told: frozenset[str] = frozenset()) -> None:
        if manner.announcement is not None or manner.beep_s:
            story.attention = Attention(call, manner.announcement, manner.beep_s, told)

    def _open(self, wish: Wish, holder: str) -> Recording | None:
        """A capture and its licence; None, with `recording.failed`, when there can be none."""
        identifier = new_id()
        try:
            tape = self.captures.open(identifier, wish, self._hear)
        except (KeysError, OSError) as problem:
            self._book.impossible(
                wish.tenant, wish.call, "key" if isinstance(problem, KeysError) else "io", str(problem)
            )
            self.licences.give_back(wish.tenant, holder)
            return None
        self.licences.pass_on(wish.tenant, holder, identifier)
        one = self.active[identifier] = Recording(identifier, wish, tape)
        self._book.began(one)
        return one

    def _close(self, one: Recording, reason: str, *, keep: bool = True) -> None:
        """It takes no more from here on; the file is closed behind that, and handed to the recorder, or thrown away."""
        if one.is_closed:
            return
        one.is_closed = True
        del self.active[one.id]
        story = self._stories.get(one.call or "")
        if story is not None and story.message is one:
            story.message = None
            if story.message_over is not None:
                story.message_over()
        if story is not None and one in story.running():
            rest = [other for other in story.running() if other is not one]
            story.recording, story.beside = (rest[0], rest[1:]) if rest else (None, [])
            if not rest and story.attention is not None:
                story.attention.end()
                story.attention = None
        if one.wish.conference:
            del self._rooms[one.wish.tenant, one.wish.conference]
        if (told := self._told.pop(one.id, None)) is not None:
            told.end()
        self.licences.give_back(one.wish.tenant, one.id)
        self._book.ended(one, reason)
        task = self._loop.create_task(self._hand_over(one, reason) if keep else self._throw_away(one, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _hand_over(self, one: Recording, reason: str) -> None:
        try:
            await one.tape.close(reason)
        except Exception:
            self._log.exception("a capture was not closed well", recording=one.id)
        self._process.tell({"kind": "process", "recording": one.id, "capture": str(self.captures.path(one.id))})

    async def _throw_away(self, one: Recording, reason: str) -> None:
        """Should its file be there at the next start, a recording is made of it after all."""
        try:
            await one.tape.close(reason)
            await asyncio.to_thread(self.captures.discard, one.id)
        except Exception:
            self._log.exception("a capture was not thrown away", recording=one.id)
        self._book.discarded(one, reason)

    def _hear(self, event: "CaptureEvent") -> None:
        """What the capture thread says of a file."""
        one = self.active.get(event.recording)
        if one is None:
            return
        if event.kind == "recovered":
            one.trouble = ""
            self._log.warning("a recording is written again", recording=one.id, dropped=event.dropped)
            return
        one.trouble = event.reason
        self._book.troubled(one, event.reason, event.detail)
        if event.reason in FATAL:
            self._close(one, event.reason)

    # ---- messages ----

    def reserve(self, call: "Call") -> bool:
        """A licence for the message that a caller is to leave; a call that is recorded anyway needs no other."""
        story = self._stories.setdefault(call.id, Story())
        manner = self._manner(call)
        is_recorded = story.recording is not None or story.demand is not None
        if is_recorded or self.licences.take(call.tenant, _of_message(call), manner.limit):
            return True
        self._book.impossible(call.tenant, call.id, NO_LICENCE, f"{manner.limit} recordings of {call.tenant} run")
        return False

    def release(self, call: "Call") -> None:
        """A licence that was reserved and is not needed."""
        self.licences.give_back(call.tenant, _of_message(call))

    def take_message(self, call: "Call", leg: "Leg", message: str, on_over: Callable[[], None]) -> Recording | None:
        """What this leg's peer says from now on is a recording; None, with `recording.failed`, if none can be."""
        story = self._stories.setdefault(call.id, Story())
        one = self._open(replace(self._wish(call, "message", "mono"), message=message), _of_message(call))
        if one is not None:
            story.message, story.message_over = one, on_over
            call.recordings.append(one.id)
            one.align(Scene((Side(leg, "said", "originating"),)))
            self._mask(one, on=call.is_masked)
        return one

    def end_message(self, call: "Call", one: Recording, reason: str, *, keep: bool) -> None:
        """The message is over. One that is not kept has never been."""
        if not keep and not one.is_closed:
            call.recordings.remove(one.id)
        self._close(one, reason, keep=keep)

    # ---- life ----

    async def close(self) -> None:
        """End what runs, and see the files closed."""
        for one in self:
            self._close(one, "engine_stopped")
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    # ---- commands ----

    def start(
        self, call: "Call", channels: Channels | None, custom: dict[str, str], *, beside: bool = False
    ) -> Recording:
        """Record a call from now on, by command; `beside` what records it already. Raises `RequestError`."""
        story = self._stories.get(call.id, Story())
        if story.recording is not None and not beside:
            raise RequestError("bad_state", "the call is recorded already", {"recording": story.recording.id})
        if call.is_finished or not has_begun(call, "start"):
            raise RequestError("bad_state", "the call has no audio yet, or no more", {"state": call.state.value})
        manner = self._manner(call)
        self._take_licence(call.tenant, call.id, manner)
        wish = self._wish(call, "command", channels or manner.channels)
        wish.custom.update(custom)
        self._stories[call.id] = story
        story.demand = None
        one = self._begin(call, story, wish)
        if one is None:
            raise RequestError("unavailable", "the recording cannot begin; see recording.failed", {"call": call.id})
        if story.attention is not None:
            story.attention.follow()
        return one

    def start_conference(self, conference: "Conference", manner: Manner, custom: dict[str, str]) -> Recording:
        """Record a conference from now on. Raises `RequestError`."""
        key = conference.tenant, conference.name
        if key in self._rooms:
            raise RequestError("bad_state", "the conference is recorded already", {"recording": self._rooms[key].id})
        if not conference.members:
            raise RequestError("bad_state", "nobody is in the conference", {"name": conference.name})
        if conference.overhears:  # no mask of a call would reach this recording
            raise RequestError("bad_state", "calls are listened to there: record the calls", {"name": conference.name})
        holder = f"conference {conference.name}"
        self._take_licence(conference.tenant, holder, manner)
        wish = Wish(conference.tenant, "command", "mono", manner, conference=conference.name, custom=custom)
        one = self._open(wish, holder)
        if one is None:
            raise RequestError("unavailable", "the recording cannot begin; see recording.failed")
        self._rooms[key] = one
        one.align(scene_in(conference))
        if manner.announcement is not None or manner.beep_s:
            self._told[one.id] = RoomAttention(conference, manner.announcement, manner.beep_s)
        return one

    def _take_licence(self, tenant: str, holder: str, manner: Manner) -> None:
        if not self.licences.take(tenant, holder, manner.limit):
            raise RequestError("limit", "the tenant's recordings are all in use", {"limit": manner.limit})

    def stop(self, one: Recording) -> None:
        """It ends now; a call that was to be recorded is not recorded again."""
        self._close(one, STOPPED)

    def pause(self, one: Recording, mode: PauseMode) -> None:
        one.pause(mode)
        self._book.emit("recording.paused", one, recording=one.id, mode=mode)

    def resume(self, one: Recording) -> None:
        if one.paused is None:
            raise RequestError("bad_state", "the recording is not paused", {"recording": one.id})
        one.resume()
        self._book.emit("recording.resumed", one, recording=one.id)

    def mask_conference(self, one: Recording, *, on: bool) -> None:
        """Of a conference only the recording is masked; that of a call follows its call."""
        self._mask(one, on=on)

    def _mask(self, one: Recording, *, on: bool) -> None:
        if one.mask(on=on):
            if on:
                self._book.emit("recording.masked", one, recording=one.id)
            else:
                self._book.emit("recording.unmasked", one, recording=one.id)

    def shown(self, one: Recording) -> dict[str, Any]:
        """How one that runs stands, beside its row."""
        return {
            "state": one.state,
            "masked": one.is_masked,
            "trouble": one.trouble or None,
            "ms": one.ms,
            "call": one.call,
        }


def _of_message(call: "Call") -> str:
    """Who holds the licence for a message of this call until it is recorded."""
    return f"message {call.id}"
