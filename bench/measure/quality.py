"""`quality`: what transcoding and concealment do to speech, by P.862.1, beside ffmpeg and beside silence.

Limits are for recorded speech: made voices buzz, which a second quantisation by G.711 is punished for.
"""

import os
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

import santral.engine.sounds
from santral.bench.judge import quality
from santral.bench.judge.quality import Losses, Samples, Unavailable
from santral.bench.measure.result import Result, Row, Setting
from santral.codecs import CODECS, Codec, Decoder, Encoder, Parameters
from santral.codecs.shape.conceal import Concealer
from santral.codecs.shape.resample import Resampler

FRAME: Final = 160  # 20 ms of the narrow-band side
OPUS_BITRATE: Final = 24_000
PATHS: Final = {  # through which codec from PCMU to where, at what rate inside: the least MOS
    "PCMU to PCMA": ("PCMA/8000", 8000, 4.45),
    "PCMU to G.722 to PCMU": ("G722/8000", 16000, 4.45),
    "PCMU to Opus to PCMU": ("opus/48000/2", 8000, 4.35),
}
WORST_BESIDE_FFMPEG: Final = 0.1
GAINS: Final = {0.01: 0.0, 0.03: 0.2, 0.05: 0.3, 0.10: 0.4}  # share lost at random: gain over silence
BURSTS: Final = (2.0, 4.0)  # frames on average
BURST_SHARE: Final = 0.05
SEEDS: Final = 4
CLIP_S: Final = 6.0
QUIETEST_DBOV: Final = -50.0  # of a recording that counts as speech
MOST_CLIPS: Final = 40
ITU_FRAME: Final = 80  # of the vectors of Appendix I: 10 ms
G192_LOST: Final = 0x6B20


def run(setting: Setting) -> Result:
    """Speech: 8 kHz WAV files under the folder that SANTRAL_SPEECH names; without, our own passages, unjudged."""
    result = Result("quality")
    folder = os.environ.get("SANTRAL_SPEECH")
    clips = (passages() if folder is None else recordings(Path(folder)))[: 2 if setting.quick else MOST_CLIPS]
    judged = folder is not None and not setting.quick
    result.rows.append(
        Row("clips", f"{len(clips)} of {CLIP_S:.0f} s", "" if folder else "made voices: set SANTRAL_SPEECH")
    )
    try:
        transcoding(clips, result, judged=judged)
        concealment(clips, result, 1 if setting.quick else SEEDS, judged=judged)
        if "SANTRAL_CORPUS" in os.environ:
            itu_vector(Path(os.environ["SANTRAL_CORPUS"]) / "codecs/itu-stl/g711iplc/test_data", result)
    except Unavailable as missing:
        result.rows.append(Row("not measured", str(missing)))
    return result


def passages() -> list[Samples]:
    """What the demo says, in two languages, at the level of P.830."""
    sounds = Path(santral.engine.sounds.__file__).parent
    return [ready(read(sounds / f"passage-{language}.wav")) for language in ("en", "tr")]


def recordings(folder: Path) -> list[Samples]:
    """Clips of some seconds from all over the folder, at the level of P.830."""
    files = sorted(folder.rglob("*.wav"))
    chosen = files[:: max(1, len(files) // (10 * MOST_CLIPS))]
    pieces = [piece for piece in map(read, chosen) if quality.active_level_dbov(piece) > QUIETEST_DBOV]
    return [ready(clip) for clip in quality.joined(pieces, CLIP_S)]


def ready(clip: Samples) -> Samples:
    return quality.at_level(clip[: clip.size // FRAME * FRAME])


def read(path: Path) -> Samples:
    """Nothing for a file that is not 16-bit mono at 8 kHz."""
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (8000, 1, 2):
            return np.zeros(0, np.int16)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


# ---- transcoding ----


def transcoding(clips: list[Samples], result: Result, *, judged: bool) -> None:
    for name, (key, hz, least) in PATHS.items():
        ours, theirs = [], []
        for clip in clips:
            said = np.frombuffer(CODECS["PCMU/8000"].decode(CODECS["PCMU/8000"].encode(clip.tobytes())), np.int16)
            ours.append(quality.mos(said, through(said, CODECS[key], hz)))
            theirs.append(quality.mos(said, through_ffmpeg(said, key, hz)))
        worst = min(one - other for one, other in zip(ours, theirs, strict=True))
        mean = float(np.mean(ours))
        limit = f"at least {least}, no clip {WORST_BESIDE_FFMPEG} below ffmpeg"
        kept = mean >= least and worst >= -WORST_BESIDE_FFMPEG if judged else None
        beside = f"ffmpeg {np.mean(theirs):.3f}, worst difference {worst:+.3f}"
        result.rows.append(Row(name, f"MOS {mean:.3f} (lowest {min(ours):.3f})", beside, limit, kept))
        result.data[name] = {"ours": ours, "ffmpeg": theirs}


def through(said: Samples, codec: Codec, hz: int) -> Samples:
    """As the media plane does it, frame by frame: resample, encode, decode, resample, and the G.711 of the last leg."""
    asked = Parameters(hz, 20, bitrate=OPUS_BITRATE if codec.name == "opus" else 0)
    encoder, decoder = Encoder(codec, asked), Decoder(codec, asked)
    up, down = Resampler(8000, hz), Resampler(hz, 8000)
    heard = b""
    for at in range(0, said.size, FRAME):
        wire = encoder.encode(up(said[at : at + FRAME].data))
        heard += down(memoryview(decoder.decode(wire)).cast("h"))
    return last_leg(np.frombuffer(heard, np.int16), codec)


def through_ffmpeg(said: Samples, key: str, hz: int) -> Samples:
    """The same path with ffmpeg's codecs and its resampler."""
    name = {"PCMA/8000": "pcm_alaw", "G722/8000": "g722", "opus/48000/2": "libopus"}[key]
    there = resampled_by_ffmpeg(said, 8000, hz)
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.sample_rate, encoder.layout, encoder.format = hz, "mono", av.AudioFormat("s16")
    if name == "libopus":
        encoder.bit_rate, encoder.options = OPUS_BITRATE, {"application": "voip"}
    decoder: Any = av.CodecContext.create(name, "r")
    decoder.sample_rate, decoder.layout = 48000 if name == "libopus" else hz, "mono"
    step = hz // 50
    packets: list[Any] = []
    for at in range(0, there.size - step + 1, step):
        frame = av.AudioFrame.from_ndarray(there[None, at : at + step], format="s16", layout="mono")
        frame.sample_rate, frame.pts = hz, at
        packets += encoder.encode(frame)
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(bytes(packet)))]
    back = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.int16)
    return last_leg(resampled_by_ffmpeg(back, frames[0].sample_rate, 8000), CODECS[key])


def last_leg(samples: Samples, codec: Codec) -> Samples:
    """What is heard behind the last leg: G.711 again unless the path ended in it."""
    if codec.name == "PCMA":
        return samples
    pcmu = CODECS["PCMU/8000"]
    return np.frombuffer(pcmu.decode(pcmu.encode(samples.tobytes())), np.int16)


def resampled_by_ffmpeg(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    if from_hz == to_hz:
        return samples
    resampler = av.AudioResampler(format="s16", layout="mono", rate=to_hz)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], format="s16", layout="mono")
    frame.sample_rate = from_hz
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts]).astype(np.int16)


# ---- concealment ----


def concealment(clips: list[Samples], result: Result, seeds: int, *, judged: bool) -> None:
    for share, least in GAINS.items():
        silent, concealed = gains(clips, partial(quality.lost_at_random, share=share), seeds)
        gain = concealed - silent
        beside = f"silence {silent:.3f}, gain {gain:+.3f}"
        kept = gain >= least if judged else None
        what = f"{share:.0%} lost at random"
        result.rows.append(Row(what, f"MOS {concealed:.3f}", beside, f"gain at least {least}", kept))
        result.data[what] = [silent, concealed]
    for burst in BURSTS:
        silent, concealed = gains(clips, partial(quality.lost_in_bursts, share=BURST_SHARE, burst=burst), seeds)
        what = f"{BURST_SHARE:.0%} lost in bursts of {burst:.0f}"
        result.rows.append(Row(what, f"MOS {concealed:.3f}", f"silence {silent:.3f}, gain {concealed - silent:+.3f}"))
        result.data[what] = [silent, concealed]


def gains(clips: list[Samples], losses: Callable[..., Losses], seeds: int) -> tuple[float, float]:
    """Mean MOS with silence in the gaps, and with what we put there."""
    silent, concealed = [], []
    for number, clip in enumerate(clips):
        for seed in range(seeds):
            lost = losses(clip.size // FRAME, seed=1000 * number + seed)
            silent.append(quality.mos(clip, np.where(np.repeat(lost, FRAME), 0, clip).astype(np.int16)))
            concealed.append(quality.mos(clip, repaired(clip, lost, FRAME)))
    return float(np.mean(silent)), float(np.mean(concealed))


def repaired(said: Samples, lost: Losses, frame: int) -> Samples:
    """Speech at 8 kHz with these frames lost, and concealed."""
    concealer = Concealer(8000)
    parts = [
        concealer.lost(frame) if is_lost else concealer.good(said[at * frame : (at + 1) * frame].data)
        for at, is_lost in enumerate(lost)
    ]
    return np.frombuffer(b"".join(parts), np.int16)


def itu_vector(folder: Path, result: Result) -> None:
    """The vector of G.711 Appendix I: its own output is what ours is compared with."""
    said, reference = (np.fromfile(folder / name, "<i2") for name in ("f2.le", "f2_10.raw"))
    pattern = np.fromfile(folder / "fe10.g192", "<u2") == G192_LOST
    lost = np.resize(pattern, said.size // ITU_FRAME)
    ours = quality.mos(said, repaired(said, lost, ITU_FRAME))
    theirs = quality.mos(said, reference)
    row = Row(
        "G.711 Appendix I vector, 10 %", f"MOS {ours:.3f}", f"reference {theirs:.3f}", "0.1 less", ours >= theirs - 0.1
    )
    result.rows.append(row)
    result.data["itu"] = [ours, theirs]
