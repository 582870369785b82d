"""Speech from espeak-ng, by ctypes from the `espeakng-loader` package. For `make.py` only, never for the engine."""

import ctypes
from typing import Final

import numpy as np
from numpy.typing import NDArray

SYNCHRONOUS: Final = 2  # audio comes through the callback, and `espeak_Synth` returns when all of it has come
CHARACTERS_UTF8: Final = 1
POSITION_CHARACTER: Final = 1
PARAMETER_RATE: Final = 1  # words per minute
PARAMETER_PITCH: Final = 3  # 0 to 100
FAILED: Final = -1

CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)


class Speaker:
    """One espeak-ng instance; the library itself is a process-wide singleton, so make only one."""

    def __init__(self) -> None:
        import espeakng_loader  # noqa: PLC0415  (an extra: needed only to make the sounds again)

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data_path = espeakng_loader.get_data_path().encode()
        self.rate_hz = int(self._library.espeak_Initialize(SYNCHRONOUS, 0, data_path, 0))
        if self.rate_hz == FAILED:
            raise RuntimeError("espeak-ng does not start")
        self._spoken: list[NDArray[np.int16]] = []
        self._on_audio = CALLBACK(self._collect)  # kept: ctypes does not hold a reference
        self._library.espeak_SetSynthCallback(self._on_audio)

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_int16]", count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._spoken.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0  # go on

    def say(self, text: str, *, voice: str, words_per_minute: int, pitch: int) -> NDArray[np.float64]:
        """Speak `text`; full scale is 1.0, the rate is `rate_hz`."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        self._library.espeak_SetParameter(PARAMETER_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(PARAMETER_PITCH, pitch, 0)
        self._spoken.clear()
        encoded = text.encode() + b"\0"
        result = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, POSITION_CHARACTER, 0, CHARACTERS_UTF8, None, None
        )
        if result != 0 or not self._spoken:
            raise RuntimeError(f"espeak-ng said nothing (result {result})")
        return np.concatenate(self._spoken).astype(np.float64) / 32768
