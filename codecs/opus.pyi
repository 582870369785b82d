from santral.codecs.codec import Codec

OPUS: Codec
IS_THERE: bool  # False: no library, pass-through only
VERSION: str
FOUND_AT: str  # or why it was not found

def load() -> tuple[str, str]: ...
