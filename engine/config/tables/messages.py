"""Messages that callers leave."""

from typing import Annotated

from pydantic import Field

from santral.engine.config.fields import CallQueueName, DialKeys, Label, Name, Remark, Seconds, Words
from santral.engine.config.tables.base import Table

LONGEST_S = 3600


class MessageTable(Table):
    """A message that callers may leave, by a destination or from a queue: greeting, tone, recording. It is kept as
    recordings are, by the word of nobody else, and takes a licence unless its call is recorded anyway.
    """

    name: CallQueueName = Field(description="Name of the message, unique on the node.")
    tenant: Name = Field(description="Whose it is.")
    greeting: Annotated[Label | None, Remark("spoken by us")] = Field(
        None, description="Sound file before the tone; a key of `end_keys` goes on to the tone at once."
    )
    thanks: Annotated[Label | None, Remark("spoken by us")] = Field(
        None, description="Sound file behind a message, for callers who are still there."
    )
    max_length: Annotated[Seconds, Field(gt=0, le=LONGEST_S), Words(f"seconds > 0, at most {LONGEST_S}")] = Field(
        180, description="Seconds after which it ends."
    )
    min_length: Seconds = Field(
        1, description="Seconds from the tone to the last word; what is shorter is thrown away. 0: all are kept."
    )
    silence: Seconds = Field(5, description="Seconds without a word that end it; 0: silence ends nothing.")
    end_keys: DialKeys = Field("#", description="Keys that end it.")
