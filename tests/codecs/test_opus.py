"""Opus: libopus called by address gives what PyAV's gives; fmtp, loss, silence, stereo, hostile bytes."""

import ctypes
import importlib.util
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from santral.codecs import CODECS, Decoder, Encoder, Parameters, fmtp, libopus, opus

OPUS = CODECS["opus/48000/2"]
Samples = npt.NDArray[np.int16]


def speechlike(hz: int, seconds: float = 1.0) -> Samples:
    """Harmonics of a wandering pitch under a wandering loudness."""
    time = np.arange(int(hz * seconds)) / hz
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.3 * time)) / hz
    voice = sum(np.sin(k * pitch) / k for k in range(4, 24))  # from 480 Hz: encoders turn the phase below
    return np.asarray(12000 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)), np.int16)


def frames(samples: Samples, n: int) -> list[bytes]:
    return [samples[at : at + n].tobytes() for at in range(0, samples.size - n + 1, n)]


def likeness(one: bytes | Samples, other: bytes | Samples) -> float:
    a, b = (np.frombuffer(each, np.int16) if isinstance(each, bytes) else each for each in (one, other))
    return float(np.corrcoef(a.astype(float), b.astype(float))[0, 1])


def encoded_by_av(samples: Samples, layout: str = "mono") -> list[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48000, layout, av.AudioFormat("s16"), 128000
    encoder.options = {"application": "voip"}
    packets = []
    step = 960 * (2 if layout == "stereo" else 1)
    for at in range(0, samples.size - step + 1, step):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + step], format="s16", layout=layout)
        frame.sample_rate, frame.pts = 48000, at // (step // 960)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def decoded_by_av(packets: list[bytes], name: str) -> Samples:
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = 48000, "mono"
    found = [frame for packet in packets for frame in decoder.decode(av.Packet(packet))]
    samples = np.concatenate([frame.to_ndarray()[0] for frame in found])
    return samples if samples.dtype == np.int16 else np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


# ---- against PyAV ----


def test_decoding_is_pyav_s_libopus_bit_by_bit() -> None:
    packets = encoded_by_av(speechlike(48000))
    decoder = Decoder(OPUS, Parameters(48000))
    ours = b"".join(decoder.decode(packet) for packet in packets)
    theirs = decoded_by_av(packets, "libopus")
    assert ours[-2 * theirs.size :] == theirs.tobytes()  # ffmpeg leaves out what the encoder needs to start


@pytest.mark.parametrize("hz", [8000, 12000, 16000, 24000, 48000])
def test_what_we_encode_ffmpeg_s_own_decoder_understands(hz: int) -> None:
    encoder = Encoder(OPUS, Parameters(hz, bitrate=128000))
    packets = [encoder.encode(frame) for frame in frames(speechlike(hz), hz // 50)]
    reference = speechlike(48000)
    theirs = decoded_by_av(packets, "opus")
    lag = max(range(150, 700), key=lambda at: likeness(theirs[at : at + 9600], reference[:9600]))
    assert likeness(theirs[lag : lag + 40000], reference[:40000]) > 0.97


def test_a_stereo_peer_is_mixed_down() -> None:
    left, right = speechlike(48000), (3000 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)).astype(np.int16)
    packets = encoded_by_av(np.stack([left, right], axis=1).reshape(-1), "stereo")
    decoder = Decoder(OPUS, Parameters(48000))
    mono = np.frombuffer(b"".join(decoder.decode(packet) for packet in packets), np.int16)
    both = (left.astype(int) + right) // 2
    lag = max(range(150, 700), key=lambda at: likeness(mono[at : at + 9600], both[:9600]))
    assert likeness(mono[lag : lag + 40000], both[:40000]) > 0.97


# ---- lengths ----


def test_the_length_of_every_packet_header_is_libopus_own() -> None:
    library, _ = libopus.open_library()
    for first in range(256):
        for second in range(0, 256, 1 if first & 3 == 3 else 64):
            packet = bytes([first, second])
            for hz in (8000, 48000):
                theirs = library.opus_packet_get_nb_samples(packet, len(packet), hz)
                if theirs > 0:
                    assert OPUS.span(packet, hz) == theirs
                else:
                    with pytest.raises(ValueError, match="not a whole frame"):
                        OPUS.span(packet, hz)


@pytest.mark.parametrize(("wanted", "taken"), [(5, 10), (10, 10), (20, 20), (30, 20), (40, 40), (60, 60), (200, 60)])
def test_packet_times_that_opus_lacks_become_shorter_ones(wanted: int, taken: int) -> None:
    assert OPUS.frame_ms(wanted) == taken
    encoder = Encoder(OPUS, Parameters(16000, taken))
    assert OPUS.span(encoder.encode(speechlike(16000)[: 16 * taken].tobytes()), 16000) == 16 * taken


def test_a_length_that_opus_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="not a whole frame"):
        Encoder(OPUS, Parameters(8000)).encode(bytes(2 * 240))


# ---- loss and silence ----


def test_the_following_packet_brings_a_lost_one_back() -> None:
    samples = speechlike(16000, 2)
    asked = Parameters(16000, protected=True, loss_percent=20, bitrate=32000)
    encoder = Encoder(OPUS, asked)
    packets = [encoder.encode(frame) for frame in frames(samples, 320)]
    whole, repaired, concealed = (Decoder(OPUS, asked) for _ in range(3))
    heard: dict[str, list[bytes]] = {"whole": [], "repaired": [], "concealed": []}
    for number, packet in enumerate(packets):
        full = whole.decode(packet)
        if number % 10 == 9 and number + 1 < len(packets):
            heard["whole"].append(full)
            heard["repaired"].append(repaired.recover(packets[number + 1])[:640])
            heard["concealed"].append(concealed.conceal(320))
        else:
            repaired.decode(packet)
            concealed.decode(packet)
    pieces = {name: b"".join(parts) for name, parts in heard.items()}
    assert likeness(pieces["repaired"], pieces["whole"]) > 0.95
    assert likeness(pieces["repaired"], pieces["whole"]) > likeness(pieces["concealed"], pieces["whole"])


def test_silence_is_not_sent_when_the_peer_wants_it_so() -> None:
    generator = np.random.default_rng(3)
    quiet = generator.integers(-3, 4, 8000 * 4).astype(np.int16)
    encoder = Encoder(OPUS, Parameters(8000, discontinuous=True))
    sizes = [len(encoder.encode(frame)) for frame in frames(quiet, 160)]
    assert sizes[0] > 0
    assert sizes[50:].count(0) > 0.9 * len(sizes[50:])
    assert any(sizes[50:])  # refreshed now and then
    loud = [len(encoder.encode(frame)) for frame in frames(speechlike(8000), 160)]
    assert 0 not in loud[2:]


def test_a_gap_is_filled_to_the_sample() -> None:
    decoder = Decoder(OPUS, Parameters(16000))
    for frame in frames(speechlike(16000, 0.2), 320):
        decoder.decode(Encoder(OPUS, Parameters(16000)).encode(frame))
    assert [len(decoder.conceal(n)) for n in (160, 320, 640)] == [320, 640, 1280]


# ---- what the peer asks for ----


def test_fmtp_becomes_parameters() -> None:
    asked = fmtp.encoder_parameters(
        OPUS,
        "minptime=10; UseInBandFEC=1;usedtx=1; cbr=1 ;maxplaybackrate=16000;maxaveragebitrate=20000; stereo=1",
        sample_hz=16000,
        frame_ms=30,
        loss_percent=7,
    )
    assert (asked.sample_hz, asked.frame_ms, asked.bitrate, asked.bandwidth_hz) == (16000, 20, 20000, 16000)
    assert (asked.is_constant, asked.is_protected, asked.is_discontinuous, asked.loss_percent) == (True, True, True, 7)


@pytest.mark.parametrize(
    ("text", "bitrate"),
    [
        ("maxaveragebitrate=1", 6000),
        ("maxaveragebitrate=999999", 510000),
        ("maxaveragebitrate=-5", 0),
        ("maxaveragebitrate=99999999999999999999", 0),
        ("maxaveragebitrate=٣", 0),
        (";;=;", 0),
        ("usedtx", 0),
        ("", 0),
    ],
)
def test_nonsense_in_fmtp_is_brought_into_range_or_passed_over(text: str, bitrate: int) -> None:
    asked = fmtp.encoder_parameters(OPUS, text)
    assert asked.bitrate == bitrate
    assert not asked.is_discontinuous
    Encoder(OPUS, asked)


def test_what_the_peer_cannot_play_is_not_sent() -> None:
    def above(hz: int, asked: Parameters) -> float:
        samples = np.random.default_rng(4).integers(-8000, 8000, 48000).astype(np.int16)
        encoder, decoder = Encoder(OPUS, asked), Decoder(OPUS, Parameters(48000))
        heard = b"".join(decoder.decode(encoder.encode(frame)) for frame in frames(samples, 960))
        spectrum = np.abs(np.fft.rfft(np.frombuffer(heard, np.int16)[24000:])) ** 2
        return float(spectrum[int(hz / 24000 * spectrum.size) :].sum() / spectrum.sum())

    assert above(9000, fmtp.encoder_parameters(OPUS, "maxplaybackrate=16000; maxaveragebitrate=64000")) < 0.001
    assert above(9000, fmtp.encoder_parameters(OPUS, "maxaveragebitrate=64000")) > 0.2


def test_a_constant_bit_rate_is_constant() -> None:
    encoder = Encoder(OPUS, Parameters(16000, bitrate=24000, constant=True))
    assert {len(encoder.encode(frame)) for frame in frames(speechlike(16000), 320)} == {60}


def test_a_peer_s_capture_rate() -> None:
    assert fmtp.captured_hz("sprop-maxcapturerate=16000; stereo=0") == 16000
    assert fmtp.captured_hz("useinbandfec=1") == 48000


# ---- hostile and missing ----


def test_no_bytes_break_the_decoder() -> None:
    generator = np.random.default_rng(5)
    decoder = Decoder(OPUS, Parameters(16000))
    for _ in range(3000):
        packet = generator.bytes(int(generator.integers(1, 200)))
        try:
            assert len(decoder.decode(packet)) == 2 * OPUS.span(packet, 16000)
        except ValueError:
            continue


def test_without_a_library_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libopus, "carried", list)
    monkeypatch.setattr(libopus, "SYSTEM_NAMES", ("libno-such-thing.so.0",))
    with pytest.raises(OSError, match="libopus was not found"):
        opus.load()


def test_the_library_that_pyav_carries_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in libopus.carried():
        assert ctypes.CDLL(path).opus_encoder_get_size(1) > 0
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert libopus.carried() == []
