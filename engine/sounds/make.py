"""Makes every sound of this folder again: `python -m santral.engine.sounds.make [FOLDER]`.

Speech comes from espeak-ng, everything else is computed here. The result is deterministic for one version of espeak-ng.
"""

import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from santral.engine.sounds.speech import Speaker

Audio: TypeAlias = NDArray[np.float64]

NARROW_HZ: Final = 8_000
WIDE_HZ: Final = 16_000
SPEECH_LEVEL_DBFS: Final = -20.0  # RMS of the whole passage, pauses included
MUSIC_LEVEL_DBFS: Final = -24.0
TONE_LEVEL_DBFS: Final = -20.0
EDGE_S: Final = 0.005  # fade at both ends of every tone, so that nothing clicks

PASSAGES: Final = {
    "passage-en.wav": (
        "gmw/en",
        "Good morning. My order left the warehouse on Tuesday, yet the parcel with nine blue folders never came.",
        165,
        42,
    ),
    "passage-tr.wav": (
        "trk/tr+f3",
        "İyi günler, ben Ayşe. Kargonuzun nerede olduğuna hemen bakıyorum, lütfen hattan ayrılmayın.",
        165,
        58,
    ),
}
CLOSED: Final = (
    "gmw/en+f2",
    "Our office is closed now. Please call again on a working day, from nine to six.",
    155,
    50,
)
VOICES: Final = {"en": ("gmw/en+f2", 155, 50), "tr": ("trk/tr+f3", 160, 55)}
PHRASES: Final = {  # of queues and their agents, by language
    "en": {
        "queue-position": "Your place in the queue is:",
        "queue-wait": "Your expected waiting time, in minutes, is:",
        "number-many": "more than twenty",
        "number-star": "star",
        "number-hash": "hash",
        "callback-offer": "We can call you back when it is your turn. You keep your place. To hang up and be called "
        "back, press:",
        "callback-thanks": "Thank you. We will call you back. Goodbye.",
        "agent-confirm": "There is a call for you. To take it, press:",
        "agent-login": "You are logged in.",
        "agent-logout": "You are logged out.",
        "agent-pause": "You are on a break.",
        "agent-resume": "Your break is over.",
    },
    "tr": {
        "queue-position": "Kuyruktaki sıranız:",
        "queue-wait": "Dakika olarak tahmini bekleme süreniz:",
        "number-many": "yirmiden fazla",
        "number-star": "yıldız",
        "number-hash": "kare",
        "callback-offer": "Sıranız gelince sizi arayabiliriz, yeriniz korunur. Telefonu kapatıp aranmak için tuşlayın:",
        "callback-thanks": "Teşekkür ederiz. Sizi arayacağız. İyi günler.",
        "agent-confirm": "Size bir çağrı var. Almak için tuşlayın:",
        "agent-login": "Giriş yaptınız.",
        "agent-logout": "Çıkış yaptınız.",
        "agent-pause": "Moladasınız.",
        "agent-resume": "Molanız bitti.",
    },
}
RECORDED: Final = {"en": "This call is recorded.", "tr": "Bu görüşme kaydedilmektedir."}
MESSAGES: Final = {  # before and behind those that callers leave
    "en": {
        "message-greeting": "Please leave a message after the tone.",
        "message-thanks": "Thank you for your message. Goodbye.",
    },
    "tr": {
        "message-greeting": "Lütfen sinyal sesinden sonra mesajınızı bırakın.",
        "message-thanks": "Mesajınız için teşekkür ederiz. İyi günler.",
    },
}
NUMBERS: Final = range(21)


def resample(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    """Band-limited, by cutting the spectrum; a pad of silence keeps the ends from wrapping into each other."""
    pad = np.zeros(from_hz // 10)
    padded = np.concatenate([pad, audio, pad])
    spectrum = np.fft.rfft(padded)
    count = round(len(padded) * to_hz / from_hz)
    kept = spectrum[: count // 2 + 1]
    taper = round(len(kept) * 0.03)  # a soft edge below the new limit: no ringing
    kept[-taper:] *= np.cos(np.linspace(0, np.pi / 2, taper)) ** 2
    out: Audio = np.fft.irfft(kept, count) * (to_hz / from_hz)
    edge = to_hz // 10
    return out[edge : len(out) - edge]


def at_level(audio: Audio, dbfs: float) -> Audio:
    """Scale to this RMS level; peaks that would pass 0.98 are held there by a soft knee."""
    scaled: Audio = audio * (10 ** (dbfs / 20) / np.sqrt(np.mean(audio**2)))
    knee, room = 0.7, 0.28
    over = np.abs(scaled) > knee
    scaled[over] = np.sign(scaled[over]) * (knee + room * np.tanh((np.abs(scaled[over]) - knee) / room))
    return scaled


def trimmed(audio: Audio, rate_hz: int) -> Audio:
    """Without the silence before the first and after the last sound, but for 50 ms of each."""
    loud = np.flatnonzero(np.abs(audio) > 0.003)
    margin = rate_hz // 20
    return audio[max(0, loud[0] - margin) : loud[-1] + margin]


def faded(audio: Audio, rate_hz: int, seconds: float = EDGE_S) -> Audio:
    edge = min(int(rate_hz * seconds), len(audio) // 2)
    shape = np.ones(len(audio))
    shape[:edge] = np.sin(np.linspace(0, np.pi / 2, edge)) ** 2
    shape[-edge:] = shape[:edge][::-1]
    return audio * shape


def tone(frequency_hz: float, seconds: float, rate_hz: int) -> Audio:
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return faded(np.sin(2 * np.pi * frequency_hz * time), rate_hz)


def beep() -> tuple[Audio, int]:
    return at_level(tone(1_000, 0.25, NARROW_HZ), TONE_LEVEL_DBFS), NARROW_HZ


def plucked(frequency_hz: float, seconds: float, rate_hz: int) -> Audio:
    """A soft bell-like note: five harmonics, the higher the shorter."""
    time, turn = np.arange(round(seconds * rate_hz)) / rate_hz, 2 * np.pi * frequency_hz
    partials = [np.sin(turn * n * time) * np.exp(-time * (1.4 + 1.1 * n)) / n**1.5 for n in range(1, 6)]
    return faded(np.sum(partials, axis=0), rate_hz)


def hold_music() -> tuple[Audio, int]:
    """Four bars in A minor at 96 beats a minute, 10 s, made to loop: what rings past the end wraps around."""
    rate_hz, beat_s = WIDE_HZ, 60 / 96
    bars = [  # bass note and arpeggio of each bar, as semitones from A3 (220 Hz)
        (-12, (0, 3, 7, 12, 15, 12, 7, 3)),
        (-16, (-4, 0, 3, 8, 12, 8, 3, 0)),
        (-9, (3, 7, 10, 15, 19, 15, 10, 7)),
        (-14, (-2, 2, 5, 10, 14, 10, 5, 2)),
    ]
    count = round(len(bars) * 4 * beat_s * rate_hz)
    loop = np.zeros(count)

    def place(semitones: int, at_beat: float, seconds: float, gain: float) -> None:
        note = gain * plucked(220 * 2 ** (semitones / 12), seconds, rate_hz)
        where = (round(at_beat * beat_s * rate_hz) + np.arange(len(note))) % count
        loop[where] += note

    for bar, (bass, melody) in enumerate(bars):
        place(bass, bar * 4, 3.0, 0.9)
        place(bass + 7, bar * 4 + 2, 2.0, 0.5)
        for step, semitones in enumerate(melody):
            place(semitones, bar * 4 + step / 2, 1.6, 0.5 if step % 2 else 0.7)
    return at_level(loop, MUSIC_LEVEL_DBFS), rate_hz


def spoken(speaker: Speaker, line: tuple[str, str, int, int], rate_hz: int) -> Audio:
    voice, text, words_per_minute, pitch = line
    said = trimmed(speaker.say(text, voice=voice, words_per_minute=words_per_minute, pitch=pitch), speaker.rate_hz)
    return faded(at_level(resample(said, speaker.rate_hz, rate_hz), SPEECH_LEVEL_DBFS), rate_hz)


def write(path: Path, audio: Audio, rate_hz: int) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.round(np.clip(audio, -1, 32767 / 32768) * 32768).clip(-32768, 32767).astype("<i2").tobytes())


def main(folder: Path) -> None:
    composed: dict[str, Callable[[], tuple[Audio, int]]] = {
        "beep.wav": beep,
        "hold-music.wav": hold_music,
    }
    for name, compose in composed.items():
        write(folder / name, *compose())
    speaker = Speaker()
    for name, line in PASSAGES.items():
        write(folder / name, spoken(speaker, line, NARROW_HZ), NARROW_HZ)
    write(folder / "closed.wav", spoken(speaker, CLOSED, WIDE_HZ), WIDE_HZ)
    speak_phrases(speaker, folder)


def speak_phrases(speaker: Speaker, folder: Path) -> None:
    for language, (voice, words_per_minute, pitch) in VOICES.items():
        (folder / language).mkdir(exist_ok=True)
        numbers = {f"number-{n}": str(n) for n in NUMBERS}
        for name, text in {**PHRASES[language], **numbers}.items():
            line = (voice, text, words_per_minute, pitch)
            write(folder / language / f"{name}.wav", spoken(speaker, line, NARROW_HZ), NARROW_HZ)
    for language, text in RECORDED.items():  # behind the others: espeak-ng speaks as it has spoken before
        voice, words_per_minute, pitch = VOICES[language]
        line = (voice, text, words_per_minute, pitch)
        write(folder / language / "call-recorded.wav", spoken(speaker, line, NARROW_HZ), NARROW_HZ)
    for language, said in MESSAGES.items():
        voice, words_per_minute, pitch = VOICES[language]
        for name, text in said.items():
            line = (voice, text, words_per_minute, pitch)
            write(folder / language / f"{name}.wav", spoken(speaker, line, NARROW_HZ), NARROW_HZ)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
