"""Which way audio takes from one leg to another, read off their remotes; and the codecs it takes. Values only.

The media thread decides packet by packet by the same rules; this says what to expect, and so what to have ready.
"""

from dataclasses import dataclass
from typing import Final

from santral.codecs import Codec, Parameters
from santral.codecs.fmtp import encoder_parameters
from santral.engine.media.core.memory.pieces import Voice
from santral.engine.media.model import Path, RemoteMedia
from santral.engine.media.remote import (
    CodecKeys,
    can_transcode,
    codec_of,
    digits_way,
    first_encodable,
    frame_ms,
    is_event,
    is_noise,
)

CUT: Final = frozenset({"PCMU", "PCMA", "L16", "G722", "G729"})  # constant rate: packets are cut anew without decoding


def audio_keys(remote: RemoteMedia) -> list[str]:
    """The codecs this peer may send us, telephone-event and comfort noise left out."""
    return [key for key in dict.fromkeys(remote.receives.values()) if not is_event(key) and not is_noise(key)]


def has_pauses_to_fill(speaker: RemoteMedia, listener: RemoteMedia) -> bool:
    """Whether the speaker may fall silent without a word (comfort noise, DTX) towards one who does not expect that."""
    noises = [key for key in speaker.receives.values() if is_noise(key)]
    if any(key in listener.sends for key in noises) or listener.may_pause:
        return False
    return bool(noises) or speaker.may_pause


def path_between(speaker: RemoteMedia, listener: RemoteMedia) -> Path:
    """For the codec the speaker is most likely to use: the one it likes to hear itself."""
    likely = [key for key in speaker.sends if key in audio_keys(speaker)] or audio_keys(speaker)
    if not likely:
        return "none"
    key = likely[0]
    if key not in listener.sends:
        return "transcode" if can_transcode(key) and first_encodable(listener) is not None else "impossible"
    wanted = frame_ms(listener, stated_only=True)
    codec = codec_of(key)
    if wanted and wanted != frame_ms(speaker) and codec is not None and codec.name in CUT:
        return "repacketise"
    return "relay"


@dataclass(frozen=True, slots=True)
class KeysPlan:
    """What becomes of the digits of one leg on their way to another."""

    passes: bool = False  # pressed anew: the listener hears digits in another way
    converts: bool = False  # taken out of the audio, since the listener is told them otherwise

    @classmethod
    def between(cls, speaker: RemoteMedia, listener: RemoteMedia) -> "KeysPlan":
        if not can_be_decoded(speaker) or first_encodable(listener) is None:
            return AS_THEY_COME
        way = digits_way(listener)
        if has_events(speaker):
            fits = way == "rfc4733" and any(key in listener.sends for key in speaker.receives.values() if is_event(key))
            return AS_THEY_COME if fits or way == "info" else cls(passes=True)
        if digits_way(speaker) != "inband" or way == "inband":
            return AS_THEY_COME
        return cls(passes=way == "rfc4733", converts=True)


AS_THEY_COME: Final = KeysPlan()


def has_events(remote: RemoteMedia) -> bool:
    """Whether this peer may send digits as events."""
    return any(is_event(key) for key in remote.receives.values())


def can_be_decoded(remote: RemoteMedia) -> bool:
    return all(can_transcode(key) for key in audio_keys(remote))


@dataclass(frozen=True, slots=True)
class VoicePlan:
    """The codecs of one leg at work: a decoder for each its peer may send, an encoder for what it likes best."""

    decoders: tuple[tuple[int, Codec, int], ...]  # number of the codec key, codec, samples a second
    encoder: tuple[int, Codec, int] | None
    frame_ms: int
    fmtp: str

    @classmethod
    def of(cls, remote: RemoteMedia, keys: CodecKeys, partner_hz: int) -> "VoicePlan":
        """At the partner's rate where the codec can work at it, so that nothing needs resampling."""

        def row(key: str) -> tuple[int, Codec, int] | None:
            codec = codec_of(key)
            if codec is None or not codec.can_transcode:
                return None
            return keys.number(key), codec, partner_hz if partner_hz in codec.rates else codec.sample_hz

        said = first_encodable(remote)
        return cls(
            decoders=tuple(found for key in audio_keys(remote) if (found := row(key)) is not None),
            encoder=row(said) if said is not None else None,
            frame_ms=frame_ms(remote),
            fmtp=remote.params.get(said, "") if said is not None else "",
        )

    def make(self, serial: int) -> Voice:
        """Allocates and initialises the codecs' states."""
        if self.encoder is None:
            return Voice(serial, self.decoders, None)
        number, codec, _ = self.encoder
        return Voice(serial, self.decoders, (number, codec, self.frame_ms, self.parameters))

    @property
    def parameters(self) -> Parameters:
        """Of the encoder, as the peer's fmtp asks for them."""
        if self.encoder is None:
            return Parameters()
        _, codec, sample_hz = self.encoder
        return encoder_parameters(codec, self.fmtp, sample_hz=sample_hz, frame_ms=self.frame_ms)

    @property
    def sample_hz(self) -> int:
        """Of the encoder; 0 without one."""
        return self.encoder[2] if self.encoder is not None else 0
