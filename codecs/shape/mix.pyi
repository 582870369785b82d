from collections.abc import Sequence

from typing_extensions import Buffer

def heard_by_each(voices: Sequence[Buffer]) -> list[bytes]: ...
