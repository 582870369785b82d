"""Sound for who waits: hold music while the other side holds, ringback while it rings."""

from typing import TYPE_CHECKING, Final

from santral.codecs.tones import Tone
from santral.engine.calls import playing
from santral.engine.calls.leg import Leg
from santral.engine.calls.playing import OVER_AND_OVER, Playing
from santral.engine.calls.tones import rendered
from santral.engine.media import rate_of

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.config.sounds import Sound

TONE: Final = "tone"  # shown as the file of a sound that is none


def entertain(call: "Call", leg: Leg, sound: "Sound | Tone | None") -> None:
    """Play this to the leg over and over from now on, or nothing any more. Saying the same again changes nothing."""
    wanted = None if sound is None else (sound, leg.agreed.audio.key)
    if wanted == call.entertained.get(leg.id):
        return
    if call.entertained.pop(leg.id, None) is not None:
        playing.stop(call, leg)
    if wanted is not None:
        call.entertained[leg.id] = wanted
        _begin(call, leg)


def resume(call: "Call", leg: Leg) -> None:
    """Something else was played to a leg that waits: it hears again what it waits with."""
    if leg.is_open and leg.id in call.entertained and not any(one.leg is leg for one in call.plays.values()):
        _begin(call, leg)


def _begin(call: "Call", leg: Leg) -> None:
    sound, codec = call.entertained[leg.id]
    if isinstance(sound, Tone):
        playing.start(call, Playing(leg, TONE, OVER_AND_OVER), rendered(sound, rate_of(codec)))
    else:
        call.spawn(_play(call, leg, sound, codec))


async def _play(call: "Call", leg: Leg, sound: "Sound", codec: str) -> None:
    """A file is decoded first: whether it is still wanted is asked again then."""
    audio = await playing.prepare(call, leg, str(sound.file), str(sound.folder), codec)
    if audio is not None and call.entertained.get(leg.id) == (sound, codec) and leg.is_open:
        playing.start(call, Playing(leg, str(sound.file), OVER_AND_OVER), audio)
