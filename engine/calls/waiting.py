"""Sound for who waits: hold music while the other side holds, ringback while it rings."""

from typing import TYPE_CHECKING

from santral.engine.calls import playing
from santral.engine.calls.leg import Leg

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.config.sounds import Sound


def entertain(call: "Call", leg: Leg, sound: "Sound | None") -> None:
    """Play this to the leg over and over from now on, or nothing any more. Saying the same again changes nothing.

    A file is decoded first: whether it is still wanted is asked again then.
    """
    wanted = None if sound is None else (str(sound.file), leg.agreed.audio.key)
    if wanted == call.entertained.get(leg.id):
        return
    if call.entertained.pop(leg.id, None) is not None:
        playing.stop(call, leg)
    if sound is not None and wanted is not None:
        call.entertained[leg.id] = wanted
        call.spawn(_play(call, leg, str(sound.folder), wanted))


async def _play(call: "Call", leg: Leg, folder: str, wanted: tuple[str, str]) -> None:
    file, codec = wanted
    audio = await playing.prepare(call, leg, file, folder, codec)
    if audio is not None and call.entertained.get(leg.id) == wanted and leg.is_open:
        playing.start(call, leg, audio, file, loop=True)
