"""Messages that callers leave: how that goes, what is said to them, and where the recordings go."""

from santral.engine.messages.course import Course, Do, Fact, Limits, Phase
from santral.engine.messages.settings import Message, messages_of

__all__ = ["Course", "Do", "Fact", "Limits", "Message", "Phase", "messages_of"]
