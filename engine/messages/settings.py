"""From the configuration to messages as calls take them."""

from collections.abc import Mapping
from dataclasses import dataclass

from santral.engine.config.model import Config
from santral.engine.config.sounds import Sound, find_sound, find_speech
from santral.engine.config.tables.messages import MessageTable
from santral.engine.messages.course import Limits

GREETING, THANKS, TONE = "message-greeting.wav", "message-thanks.wav", "beep.wav"


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of message. Callers hear the greeting and the tone before it, the thanks behind it."""

    name: str
    tenant: str
    limits: Limits
    greeting: Sound
    tone: Sound
    thanks: Sound


def messages_of(config: Config) -> Mapping[str, Message]:
    """By name. Raises ValueError for a configuration that was not checked."""
    return {row.name: _message(config, row) for row in config.message}


def _message(config: Config, row: MessageTable) -> Message:
    tenant = config.tenants[row.tenant]

    def sound(own: str | None, ours: str) -> Sound:
        if own is not None:
            return find_sound(own, tenant.sounds, tenant.language)
        return find_speech(ours, tenant.sounds, tenant.language)

    return Message(
        name=row.name,
        tenant=row.tenant,
        limits=Limits(row.max_length, row.min_length, row.silence, row.end_keys),
        greeting=sound(row.greeting, GREETING),
        tone=sound(None, TONE),
        thanks=sound(row.thanks, THANKS),
    )
