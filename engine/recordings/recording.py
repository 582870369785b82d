"""One recording under way: its capture, the streams in it, and whether it is paused or masked.

It is brought to a `Scene` again and again (`align`); what has changed since becomes streams and notes of the capture.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from santral.engine import utc
from santral.engine.calls.leg import Leg
from santral.engine.media import MediaError, MediaLeg, MediaRoom
from santral.engine.recordings.following import Part, Scene, Side
from santral.engine.recordings.policy import Channels, Demander, Manner, OnHold

PauseMode = Literal["silence", "skip"]
MAX_PARTIES: Final = 64  # kept of a recording; a conference may have more
HOLD_MODES: Final[dict[OnHold, PauseMode]] = {"silence": "silence", "skip": "skip"}


class Tape(Protocol):
    """A capture as recordings use it (`santral.engine.media.Capture`)."""

    def add(
        self, leg: MediaLeg | MediaRoom, role: Part, *, side: Literal["said", "heard", "played"] = "said", **fields: Any
    ) -> int: ...
    def remove(self, stream: int, reason: str = "") -> None: ...
    def note(self, kind: str, **fields: Any) -> None: ...
    def pause(self, mode: PauseMode) -> None: ...
    def resume(self) -> None: ...
    def mask(self) -> None: ...
    def unmask(self) -> None: ...
    def mask_digits(self, on: bool = True) -> None: ...
    async def close(self, reason: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be recorded, and how; `custom` stands in the file."""

    tenant: str
    by: Demander
    channels: Channels
    manner: Manner
    call: str | None = None
    conference: str = ""
    caller: str = ""
    called: str = ""
    queue: str = ""  # the last that its call waited in
    message: str = ""  # the name of the message that somebody leaves
    custom: dict[str, str] = field(default_factory=dict)


class Recording:
    """Made with an open capture. Ended by `close`, once."""

    def __init__(self, identifier: str, wish: Wish, tape: Tape) -> None:
        self.id: Final = identifier
        self.wish: Final = wish
        self.tape: Final = tape
        self.call = wish.call  # changes when its legs go on to another call
        self.started: Final = utc.now_ms()
        self.parties: list[str] = []
        self.paused: PauseMode | None = None  # by command
        self.is_masked = False
        self.is_closed = False
        self.trouble = ""  # why the capture loses what it should hold, while it does
        self._began: Final = time.monotonic_ns()
        self._streams: dict[tuple[str, str], int] = {}  # leg and side -> stream
        self._parts: dict[str, Part] = {}  # leg -> which of the two it is, for as long as it is here
        self._room: MediaRoom | None = None
        self._room_stream: int | None = None
        self._together: tuple[int, ...] = ()
        self._held: set[int] = set()
        self._standing: PauseMode | None = None  # what the capture was told last
        for party in (wish.caller, wish.called):
            self.know(party)
        if wish.manner.masks_digits:
            tape.mask_digits()

    @property
    def state(self) -> str:
        return "paused" if self.paused else "recording"

    @property
    def ms(self) -> int:
        """For how long it has run."""
        return (time.monotonic_ns() - self._began) // 1_000_000

    @property
    def legs(self) -> frozenset[str]:
        """Who is in it."""
        return frozenset(leg for leg, _ in self._streams)

    def know(self, party: str) -> None:
        if party and party not in self.parties and len(self.parties) < MAX_PARTIES:
            self.parties.append(party)

    # ---- whose audio ----

    def align(self, scene: Scene) -> list[Leg]:
        """Have these sides in it and no others. Returns the legs that are new."""
        wanted = {(side.leg.id, side.side): side for side in scene.sides}
        for key in [key for key in self._streams if key not in wanted]:
            self.tape.remove(self._streams.pop(key), "left")
        here = {leg for leg, _ in self._streams}
        self._parts = {leg: part for leg, part in self._parts.items() if leg in here}
        came = [side for key, side in wanted.items() if key not in self._streams]
        new = [side.leg for side in came if self._add(side) and side.side == "said"]
        self._join([self._streams[leg, "said"] for leg in scene.together if (leg, "said") in self._streams])
        self._hold({self._streams[leg, "said"] for leg in scene.held if (leg, "said") in self._streams})
        self._hear_room(scene.room)
        self._settle_pause()
        return new

    def _hear_room(self, room: MediaRoom | None) -> None:
        """What is played to everybody in the conference, and nothing of another one."""
        if room is self._room:
            return
        if self._room_stream is not None:
            self.tape.remove(self._room_stream, "left")
        self._room, self._room_stream = room, None
        if room is not None:
            with suppress(MediaError):  # it is being closed: its end follows
                self._room_stream = self.tape.add(room, "member", side="played", id="", party="")

    def _add(self, side: Side) -> bool:
        leg = side.leg
        party = leg.presented.number if side.side == "said" else ""
        part = self._part_of(side)
        try:
            stream = self.tape.add(leg.rtp, part, side=side.side, id=leg.id, party=party, trunk=leg.party.name)
        except MediaError:  # it is being closed: its end follows
            return False
        self._streams[leg.id, side.side] = stream
        if side.side == "said":
            self._parts[leg.id] = part
            self.know(party)
        return True

    def _part_of(self, side: Side) -> Part:
        """Its own part, unless somebody who was here before has it: then the other one, so that two have two sides."""
        if side.leg.id in self._parts:
            return self._parts[side.leg.id]
        taken = set(self._parts.values())
        if side.part not in taken or side.part == "member":
            return side.part
        other: Part = "connected" if side.part == "originating" else "originating"
        return side.part if other in taken else other

    def _join(self, together: Sequence[int]) -> None:
        now = tuple(sorted(together))
        if now == self._together:
            return
        if self._together:
            self.tape.note("parted", streams=list(self._together))
        if now:
            self.tape.note("connected", streams=list(now))
        self._together = now

    def _hold(self, held: set[int]) -> None:
        for stream in held - self._held:
            self.tape.note("hold", stream=stream)
        for stream in self._held - held:
            self.tape.note("unhold", stream=stream)
        self._held = held

    # ---- what is left out ----

    def pause(self, mode: PauseMode) -> None:
        self.paused = mode
        self._settle_pause()

    def resume(self) -> None:
        self.paused = None
        self._settle_pause()

    def _settle_pause(self) -> None:
        """A command's word goes before what hold does."""
        wanted = self.paused or (HOLD_MODES.get(self.wish.manner.on_hold) if self._held else None)
        if wanted == self._standing:
            return
        if self._standing is not None:
            self.tape.resume()
        if wanted is not None:
            self.tape.pause(wanted)
        self._standing = wanted

    def mask(self, *, on: bool) -> bool:
        """Whether that was a change."""
        if on == self.is_masked:
            return False
        self.is_masked = on
        if on:
            self.tape.mask()
        else:
            self.tape.unmask()
        return True
