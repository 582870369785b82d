"""`transcode`: what a packet costs that crosses between two codecs, against plain relay, in pairs of the same load.

The peers of a pair of legs speak different codecs, so that every packet is transcoded, half of them each way, as in a
call. Between the two measurements of a pair the codec's own cost is taken on the same core: decoding and encoding the
same speech, by the same functions and with the same parameters, nothing else at hand. What G.711 and resampling cost is
shown apart: the limit allows for the codec alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from santral.bench.load.legs import Legs, Said
from santral.bench.load.plane import PAYLOAD_TYPES
from santral.bench.measure.codecs import voice
from santral.bench.measure.plane import Taken, running, take
from santral.bench.measure.result import Result, Row, Setting, median
from santral.bench.process import pinned
from santral.codecs import CODECS, Codec, Decoder, Encoder, Parameters
from santral.codecs.shape.resample import Resampler

PCMU: Final = "PCMU/8000"
PCMA: Final = "PCMA/8000"
G722: Final = "G722/8000"
OPUS: Final = "opus/48000/2"
NAMES: Final = {G722: "G.722", OPUS: "Opus"}
LEGS: Final = {PCMA: 600, G722: 600, OPUS: 200}  # a core has no room for more of Opus
PAIRS: Final = 5
SECONDS: Final = 4.0
MOST_TIMES_RELAY: Final = 1.3  # of law to law
MOST_TIMES_OWN: Final = 1.3  # beyond relay, of what the codec itself costs
SPOKEN: Final = 50  # frames that a leg says again and again
JUDGED: Final = 400  # frames that a codec's own cost is taken of
STRIDE: Final = 7  # frames from where one leg begins to where the next one does
BITRATE: Final = 24_000  # of Opus; a constant one, so that what is said has frames of one length
REPEATS: Final = 15


@dataclass(frozen=True, slots=True)
class Own:
    """Microseconds of CPU for a packet that crosses, half of them each way; one stream, warm in the cache."""

    codec: float  # decoded, encoded
    law: float  # encoded, decoded
    resampling: float

    @property
    def whole(self) -> float:
        return self.codec + self.law + self.resampling


def run(setting: Setting) -> Result:
    result = Result("transcode")
    costly = [key for key in (G722, OPUS) if CODECS[key].can_transcode]
    least = min([_law_to_law(result, setting), *(_through_codec(result, setting, key) for key in costly)])
    result.rows.append(Row("of the packets taken, sent on", f"{least:.4f}", "", "all", least > 0.999))
    return result


def _law_to_law(result: Result, setting: Setting) -> float:
    legs, pairs, seconds = size(setting, PCMA)
    taken = [
        (_relayed(setting, legs, seconds), _transcoded(setting, (PCMU, PCMA), legs, seconds)) for _ in range(pairs)
    ]
    ratios = []
    for number, (relayed, transcoded) in enumerate(taken, 1):
        ratio = transcoded.us_per_packet / relayed.us_per_packet
        ratios.append(ratio)
        result.rows.append(
            Row(
                f"PCMU-PCMA, pair {number}, {legs} legs",
                f"{transcoded.us_per_packet:.2f} us/packet",
                f"relay {relayed.us_per_packet:.2f}, ratio {ratio:.2f}",
                in_doubt(relayed, transcoded),
            )
        )
    middle = median(ratios)
    ok = None if setting.quick else middle <= MOST_TIMES_RELAY
    result.rows.append(Row("PCMU-PCMA, median ratio to relay", f"{middle:.3f}", "", f"at most {MOST_TIMES_RELAY}", ok))
    result.data |= {"legs": legs, "ratio_median": middle, "ratios": ratios}
    return min(share_sent(transcoded) for _, transcoded in taken)


def _through_codec(result: Result, setting: Setting, key: str) -> float:
    legs, pairs, seconds = size(setting, key)
    name = f"PCMU-{NAMES[key]}"
    times, whole, sent_on = [], [], []
    for number in range(1, pairs + 1):
        relayed = _relayed(setting, legs, seconds)
        with pinned(setting.subject_core):
            own = own_cost(CODECS[key], *((SPOKEN, 1) if setting.quick else (JUDGED, REPEATS)))
        transcoded = _transcoded(setting, (PCMU, key), legs, seconds)
        more = transcoded.us_per_packet - relayed.us_per_packet
        times.append(more / own.codec)
        whole.append(more / own.whole)
        sent_on.append(share_sent(transcoded))
        result.rows.append(
            Row(
                f"{name}, pair {number}, {legs} legs",
                f"{transcoded.us_per_packet:.2f} us/packet",
                f"relay {relayed.us_per_packet:.2f}, codec's own {own.codec:.2f}"
                f" (G.711 {own.law:.2f}, resampling {own.resampling:.2f}), {times[-1]:.2f} times its own",
                in_doubt(relayed, transcoded) or f"{relayed.us_per_packet + MOST_TIMES_OWN * own.codec:.2f} us",
            )
        )
    middle = median(times)
    result.rows.append(
        Row(
            f"{name}, median beyond relay, times the codec's own",
            f"{middle:.3f}",
            f"{median(whole):.3f} times all three",
            f"at most {MOST_TIMES_OWN}",
            None if setting.quick else middle <= MOST_TIMES_OWN,
        )
    )
    result.data[name] = {"legs": legs, "times_own": times, "times_own_with_law_and_resampling": whole}
    return min(sent_on)


def size(setting: Setting, key: str) -> tuple[int, int, float]:
    """Legs, pairs of measurements, seconds of each."""
    return (20, 1, 1.0) if setting.quick else (LEGS[key], PAIRS, SECONDS)


def in_doubt(relayed: Taken, transcoded: Taken) -> str:
    doubt = relayed.window.doubt or transcoded.window.doubt
    return f"in doubt: {doubt}" if doubt else ""


def share_sent(taken: Taken) -> float:
    return taken.grown["packets_out"] / max(1, taken.grown["packets_in"])


def _relayed(setting: Setting, count: int, seconds: float) -> Taken:
    with Legs(count, core=setting.load_core) as legs, running(setting, "relay", legs.ports) as plane:
        return take(plane, legs, seconds)


def _transcoded(setting: Setting, keys: tuple[str, str], count: int, seconds: float) -> Taken:
    mode = f"between:{','.join(keys)}"
    said = [one for spoken in zip(*(speech(key, count // 2) for key in keys), strict=True) for one in spoken]
    with Legs(count, core=setting.load_core) as legs, running(setting, mode, legs.ports) as plane:
        return take(plane, legs, seconds, said)


def speech(key: str, count: int) -> list[Said]:
    """For so many legs, each beginning elsewhere: the same words at once would be easy to foretell for a processor."""
    frames = encoded(CODECS[key], SPOKEN)
    begins = [number * STRIDE % SPOKEN for number in range(count)]
    turned = [b"".join(frames[begin:] + frames[:begin]) for begin in begins]
    return [Said(wire, PAYLOAD_TYPES[key], len(frames[0]), CODECS[key].clock_hz // 50) for wire in turned]


def encoded(codec: Codec, frames: int) -> list[bytes]:
    """A voice in packets of 20 ms."""
    samples, n = voice(codec.sample_hz, frames), codec.sample_hz // 50
    asked = Parameters(codec.sample_hz, bitrate=BITRATE, constant=True) if codec.name == "opus" else Parameters()
    encoder = Encoder(codec, asked)
    return [encoder.encode(samples[at : at + n].tobytes()) for at in range(0, samples.size, n)]


def own_cost(codec: Codec, frames: int, repeats: int) -> Own:
    """As the plane has it: at the rate of G.711 where the codec can work at that, otherwise resampled."""
    law = CODECS[PCMU]
    hz = law.sample_hz if law.sample_hz in codec.rates else codec.sample_hz
    up, down = resampling_to(law.sample_hz, hz), resampling_to(hz, law.sample_hz)
    law_wire, wire = encoded(law, frames), encoded(codec, frames)
    narrow, wide = pieces(law, law_wire, law.sample_hz), pieces(codec, wire, hz)
    resampling = 0.0
    if hz != law.sample_hz:
        resampling = cost(up, narrow, repeats) + cost(down, wide, repeats)
    at_codec, at_law = [up(each) for each in narrow], [down(each) for each in wide]
    asked = Parameters(hz)
    return Own(
        (cost(Decoder(codec, asked).decode, wire, repeats) + cost(Encoder(codec, asked).encode, at_codec, repeats)) / 2,
        (cost(Decoder(law).decode, law_wire, repeats) + cost(Encoder(law).encode, at_law, repeats)) / 2,
        resampling / 2,
    )


def resampling_to(come: int, go: int) -> Callable[[bytes], bytes]:
    resampler = Resampler(come, go)
    return lambda samples: resampler(memoryview(samples).cast("h"))


def pieces(codec: Codec, wire: Sequence[bytes], hz: int) -> list[bytes]:
    """What is decoded of the packets, at this rate."""
    decoder = Decoder(codec, Parameters(hz))
    return [decoder.decode(packet) for packet in wire]


def cost(step: Callable[[bytes], object], inputs: Sequence[bytes], repeats: int) -> float:
    """Microseconds of this thread's CPU for an input, the median of some runs, less what the call from Python costs."""
    nothing = [b""] * len(inputs)
    took = [cpu_of(step, inputs) - cpu_of(step, nothing) for _ in range(repeats)]
    return max(0.0, median(took) / 1000 / len(inputs))


def cpu_of(step: Callable[[bytes], object], inputs: Sequence[bytes]) -> int:
    began = time.thread_time_ns()
    for each in inputs:
        step(each)
    return time.thread_time_ns() - began
