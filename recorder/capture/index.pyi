from typing import Any

import numpy as np
from typing_extensions import Buffer

def chunk_head(data: Buffer, at: int) -> tuple[int, int] | None: ...
def is_body_sound(data: Buffer, at: int) -> bool: ...
def count_packets(data: Buffer, start: int, end: int) -> int: ...
def index_packets(
    data: Buffer,
    start: int,
    end: int,
    rows: np.ndarray[Any, np.dtype[np.uint8]],
    first: int,
    notes: list[tuple[int, int, int]],
) -> int: ...
