"""The conferences of the node. One begins with its first member, or by a command, and ends with its last.

Who may be heard by whom is the media plane's room; this knows names, members, limits, and says what happens.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from santral.engine import utc
from santral.engine.events import EventLog
from santral.engine.media import MediaError, MediaEvent, MediaPlane, MediaRoom, PreparedAudio

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg
    from santral.engine.config.sounds import Sound

RATE_HZ: Final = 8000  # of a room that says nothing else
MAX_MEMBERS: Final = 200
EVERYBODY: Final = ""


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What the configuration says of one room. A sound is a file; None: the beep of the tenant's country."""

    max_members: int = MAX_MEMBERS
    muted_on_join: bool = False
    join_sound: "Sound | None" = None
    leave_sound: "Sound | None" = None
    is_silent: bool = False  # no sounds at all
    tells_speakers: bool = False
    rate_hz: int = RATE_HZ  # at which it is mixed: what is above half of it is lost
    agc: bool = False  # who comes is brought to one loudness


@dataclass(frozen=True, slots=True)
class Manners:
    """How a leg takes part. As a wish, None means: as it is, or for who comes: as the room has it."""

    muted: bool | None = None  # not heard
    deaf: bool | None = None  # hears silence
    monitor: bool | None = None  # hears all, is heard by nobody
    gain_db: float | None = None  # of what it says
    agc: bool | None = None  # what it says is brought to one loudness, before `gain_db`
    whisper_to: str | None = None  # id of the only leg that hears it; EVERYBODY again

    @property
    def is_discreet(self) -> bool:
        """Not everybody is to know of it: it comes and goes without a sound."""
        return bool(self.monitor or self.whisper_to)

    def over(self, standing: "Manners") -> "Manners":
        """What stands, but for what is wished here."""
        return replace(standing, **{name: value for name, value in asdict(self).items() if value is not None})


@dataclass(frozen=True, slots=True)
class Sounds:
    """What is heard when somebody comes and goes."""

    join: PreparedAudio | None = None
    leave: PreparedAudio | None = None


@dataclass(slots=True)
class Member:
    """A leg that takes part."""

    call: "Call"
    leg: "Leg"
    manners: Manners  # all of them
    since: int  # UTC milliseconds
    is_overheard: bool = False  # its call does not take part by itself: it is listened to, by those who do


class Conference:
    """One room. Members come by `enter` and go by `leave`; it is over when the last has gone."""

    def __init__(
        self, owner: "Conferences", key: tuple[str, str], settings: RoomSettings, sounds: Sounds, room: MediaRoom
    ) -> None:
        self.tenant, self.name = key
        self.settings: Final = settings
        self.room: Final = room
        self.sounds = sounds
        self.members: Final[dict[str, Member]] = {}  # by leg
        self.locked = False
        self.started: Final = utc.now_ms()
        self._owner = owner
        self._announcing_until = 0.0  # by the owner's clock

    @property
    def overhears(self) -> bool:
        """Calls are listened to here that do not take part: who else would hear them is to be a supervisor."""
        return any(one.is_overheard for one in self.members.values())

    def objection(self, count: int = 1) -> str | None:
        """Why so many more may not come: "locked" or "full"; None when they may."""
        if self.locked:
            return "locked"
        return "full" if len(self.members) + count > self.settings.max_members else None

    def enter(self, call: "Call", leg: "Leg", wish: Manners = Manners(), *, is_overheard: bool = False) -> None:
        """The leg takes part from now on. Raises `MediaError` when its codec cannot be mixed, or the wish is wrong."""
        manners = wish.over(self._usual)
        self.room.join(leg.rtp, **self._for_media(manners))
        self.members[leg.id] = Member(call, leg, manners, utc.now_ms(), is_overheard)
        self._owner.events.emit(
            "conference.joined",
            tenant=self.tenant,
            call=call.id,
            leg=leg.id,
            name=self.name,
            members=len(self.members),
            **asdict(manners),
        )
        if not manners.is_discreet:
            self.sound(self.sounds.join)
        self._owner.on_change(self)

    @property
    def _usual(self) -> Manners:
        """Of who comes and wishes nothing."""
        settings = self.settings
        return Manners(settings.muted_on_join, False, False, 0.0, settings.agc, EVERYBODY)

    def _for_media(self, manners: Manners) -> dict[str, Any]:
        """The same for the media plane's room, which knows legs by its own names. Raises `MediaError`."""
        listener = None
        if manners.whisper_to:
            member = self.members.get(manners.whisper_to)
            if member is None:
                raise MediaError(f"leg {manners.whisper_to} is not in the conference: it cannot be whispered to")
            listener = member.leg.rtp
        return {**asdict(manners), "whisper_to": listener}

    def change(self, leg: "Leg", wish: Manners) -> None:
        """A member takes part in another manner. Raises `MediaError` when that is wrong; nothing has changed then.

        Who whispers to somebody who leaves is heard by nobody until this is called again.
        """
        member = self.members[leg.id]
        manners = wish.over(member.manners)
        changed = asdict(manners)
        if wish.whisper_to is None:
            del changed["whisper_to"]  # its listener may have gone, and need not be there for another change
        else:
            changed["whisper_to"] = self._for_media(manners)["whisper_to"]
        self.room.change(leg.rtp, **changed)
        member.manners = manners
        self._owner.on_change(self)
        self._owner.events.emit(
            "conference.changed", tenant=self.tenant, call=member.call.id, leg=leg.id, name=self.name, **asdict(manners)
        )

    def leave(self, leg: "Leg", reason: str) -> None:
        """The leg takes part no more; with the last the conference ends."""
        member = self.members.pop(leg.id, None)
        if member is None:
            return
        if leg.media is not None:
            self.room.leave(leg.media)
        self._owner.events.emit(
            "conference.left",
            tenant=self.tenant,
            call=member.call.id,
            leg=leg.id,
            name=self.name,
            members=len(self.members),
            reason=reason,
        )
        self._owner.on_change(self)
        if not self.members:
            self._owner.close(self)
        elif not member.manners.is_discreet:
            self.sound(self.sounds.leave)

    def sound(self, audio: PreparedAudio | None) -> None:
        """To everybody, unless they are being told something."""
        if audio is not None and self._owner.now() >= self._announcing_until:
            self.room.play(audio)

    def announce(self, audio: PreparedAudio) -> None:
        """The same, of words that no other sound may cut short."""
        self._announcing_until = self._owner.now() + audio.duration_ms / 1000
        self.room.play(audio)

    def shown(self) -> dict[str, Any]:
        """As control clients see it."""
        return {
            "name": self.name,
            "tenant": self.tenant,
            "started": utc.text_of(self.started),
            "locked": self.locked,
            "max_members": self.settings.max_members,
            "rate_hz": self.room.rate_hz,
            "members": [
                {
                    "call": one.call.id,
                    "leg": one.leg.id,
                    "role": one.leg.role.value,
                    **asdict(one.manners),
                    "since": utc.text_of(one.since),
                }
                for one in self.members.values()
            ],
        }


class Conferences:
    """All of them, by tenant and name."""

    def __init__(self, loop: asyncio.AbstractEventLoop, plane: MediaPlane, events: EventLog) -> None:
        self._loop, self._plane, self.events = loop, plane, events
        self._rooms: dict[tuple[str, str], Conference] = {}
        self.on_change: Callable[[Conference], None] = lambda _: None  # members came, went, or take part otherwise
        self.now: Final = loop.time
        self._closing: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Conference]:
        return iter(list(self._rooms.values()))

    def find(self, tenant: str, name: str) -> Conference | None:
        return self._rooms.get((tenant, name))

    def of(self, leg: "Leg") -> Conference | None:
        """The conference this leg is in."""
        return next((one for one in self._rooms.values() if leg.id in one.members), None)

    def obtain(self, tenant: str, name: str, settings: RoomSettings, sounds: Sounds) -> Conference:
        """The conference of this name; a new one when there is none."""
        found = self._rooms.get((tenant, name))
        if found is None:
            room = self._plane.open_room(settings.rate_hz, levels=settings.tells_speakers)
            found = self._rooms[tenant, name] = Conference(self, (tenant, name), settings, sounds, room)
            self.events.emit("conference.started", tenant=tenant, name=name)
        return found

    def close(self, conference: Conference) -> None:
        """It is over; nobody is in it any more."""
        if self._rooms.pop((conference.tenant, conference.name), None) is None:
            return
        ms = utc.now_ms() - conference.started
        self.events.emit("conference.ended", tenant=conference.tenant, name=conference.name, ms=ms)
        task = self._loop.create_task(conference.room.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def hear(self, event: MediaEvent) -> None:
        """What the media plane says of a room: who speaks in it."""
        if event.kind != "speaker":
            return
        for one in self._rooms.values():
            if one.room.id == event.room:
                speaks = next((m for m in one.members.values() if m.leg.rtp.id == event.data["leg"]), None)
                self.events.emit(
                    "conference.speaker",
                    tenant=one.tenant,
                    call=speaks.call.id if speaks else None,
                    leg=speaks.leg.id if speaks else None,
                    name=one.name,
                )
