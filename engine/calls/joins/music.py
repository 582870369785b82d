"""Music for who waits: played to a leg of a bridge while its counterpart holds, where that trunk asks for it."""

from typing import TYPE_CHECKING

from santral.engine.calls import playing
from santral.engine.calls.leg import Leg

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.config.sounds import Sound


class WaitingMusic:
    """What is played to whom, by leg. A file is decoded first: whether it is still wanted is asked again then."""

    def __init__(self, call: "Call") -> None:
        self._call = call
        self._wanted: dict[str, str] = {}  # leg id -> codec that is played, or will be

    def set(self, leg: Leg, sound: "Sound | None") -> None:
        """Play this to the leg from now on, or nothing. Saying the same again changes nothing."""
        codec = None if sound is None else leg.agreed.audio.name
        if codec == self._wanted.get(leg.id):
            return
        if self._wanted.pop(leg.id, None) is not None:
            playing.stop(self._call, leg)
        if sound is not None and codec is not None:
            self._wanted[leg.id] = codec
            self._call.spawn(self._play(leg, sound, codec))

    async def _play(self, leg: Leg, sound: "Sound", codec: str) -> None:
        call = self._call
        audio = await playing.prepare(call, leg, str(sound.file), str(sound.folder), codec)
        if audio is not None and self._wanted.get(leg.id) == codec and leg.is_open:
            playing.start(call, leg, audio, str(sound.file), loop=True)
