"""Calls and conferences: the way in by a destination or a command, and the way out."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from santral.engine.calls import playing
from santral.engine.calls.dialer import Failure, Fault
from santral.engine.calls.joins import Attendance, Bridge, Endpoint
from santral.engine.calls.leg import Role
from santral.engine.calls.table import Heard, Input
from santral.engine.calls.tones import rendered, tone_of
from santral.engine.conferences import Manners, RoomSettings, Sounds
from santral.engine.config.sounds import Sound
from santral.engine.media import AudioError, MediaError, PreparedAudio
from santral.routing.plan import Confer

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.world import Services, World

REFUSALS: Final = {"locked": 403, "full": 486}
NO_CODEC: Final = 488
NO_SOUND: Final = 500


class Attending(NamedTuple):
    """A conference to take part in, with all that it needs if it has to be opened."""

    name: str
    settings: RoomSettings
    sounds: Sounds
    manners: Manners = Manners()


async def prepared(services: "Services", world: "World", key: tuple[str, str]) -> tuple[RoomSettings, Sounds]:
    """The manner of the room of this tenant and name, and its sounds, decoded. Raises `AudioError`."""
    settings, beep = world.rooms.get(key, RoomSettings()), tone_of(world.config.tenants[key[0]].country, "beep")
    if settings.is_silent:
        return settings, Sounds()

    async def ready(sound: Sound | None) -> PreparedAudio:
        if sound is None:
            return rendered(beep, settings.rate_hz)
        return await services.audio.prepare(sound.file, settings.rate_hz, sound.folder)

    return settings, Sounds(await ready(settings.join_sound), await ready(settings.leave_sound))


async def attending(call: "Call", name: str, manners: Manners = Manners()) -> Attending:  # noqa: B008 - it is frozen
    """What taking part in this conference takes. Raises `AudioError`."""
    settings, sounds = await prepared(call.services, call.world, (call.tenant, name))
    return Attending(name, settings, sounds, manners)


async def prepare_conference(call: "Call", what: Confer) -> None:
    """Before the caller is answered: may it come, and are the sounds there?"""
    supervisor = call.services.queues.supervising.attending(call)
    if supervisor is not None:
        call.post(Input.AUDIO_READY, supervisor)
        return
    standing = call.services.conferences.find(call.tenant, what.room)
    objection = None if standing is None else standing.objection()
    if objection is not None:
        call.post(Input.ATTEMPT_FAILED, Failure(Fault.REFUSED, REFUSALS[objection]))
        return
    try:
        call.post(Input.AUDIO_READY, await attending(call, what.room))
    except AudioError as problem:
        call.log.error("cannot play", file=problem.path, error=problem.reason)
        call.post(Input.ATTEMPT_FAILED, Failure(Fault.REFUSED, NO_SOUND))


def enter(call: "Call", what: Attending) -> Attendance:
    """All legs of the call take part from now on. Raises `MediaError` when one of them cannot."""
    conferences = call.services.conferences
    conference = conferences.obtain(call.tenant, what.name, what.settings, what.sounds)
    legs = tuple(leg for leg in call.roles.values() if leg.is_open)
    try:
        call.join = attendance = Attendance(call, legs, conference, what.manners)
    except MediaError:
        for leg in legs:
            conference.leave(leg, "refused")
        if not conference.members:
            conferences.close(conference)
        raise
    return attendance


def attend(call: "Call", what: Input, wanted: Attending) -> None:
    """A command puts an answered call into a conference, whatever it was joined to before."""
    for play_id, one in list(call.plays.items()):
        call.plays[play_id] = replace(one, then=None)
        playing.stop(call, one.leg)
    call.end_join()
    try:
        enter(call, wanted).align()
    except MediaError as problem:
        call.log.error("cannot take part in the conference", conference=wanted.name, error=str(problem))
        bridge_again(call, what, None)


def let_member_go(call: "Call", _what: Input, heard: Heard) -> None:
    """One of two has hung up, the other is not alone in the conference, and stays there."""
    (stays,) = (leg for leg in call.roles.values() if leg is not heard.leg)
    if isinstance(call.join, Attendance):
        call.join.let_go(heard.leg)
    call.roles = {Role.CALLER: stays}
    call.let_go(heard.leg)


def bridge_again(call: "Call", _what: Input, _data: object) -> None:
    """Out of the conference, or together again: two legs hear each other, one waits for what comes."""
    call.end_join()
    legs = tuple(leg for leg in call.roles.values() if leg.is_open)
    if len(legs) > 1:
        call.join = bridge = Bridge(call, legs[0], legs[1])
        bridge.announce()
        bridge.align()
    elif legs:
        call.join = Endpoint(call, legs[0])
