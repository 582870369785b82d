"""What a leg's encoder is told: the peer's wishes, at the rate that the other leg has."""

from santral.engine.media import RemoteMedia
from santral.engine.media.paths import VoicePlan
from santral.engine.media.remote import CodecKeys

OPUS = "opus/48000/2"


def plan(fmtp: str, partner_hz: int = 8000, **more: int) -> VoicePlan:
    remote = RemoteMedia("127.0.0.1", 4000, receives={107: OPUS}, sends={OPUS: 107}, params={OPUS: fmtp}, **more)
    return VoicePlan.of(remote, CodecKeys(), partner_hz)


def test_the_encoder_does_what_the_peer_s_fmtp_asks_for() -> None:
    asked = plan("useinbandfec=1; usedtx=1; maxplaybackrate=16000; maxaveragebitrate=20000").parameters
    assert (asked.sample_hz, asked.frame_ms, asked.bitrate, asked.bandwidth_hz) == (8000, 20, 20000, 16000)
    assert (asked.is_protected, asked.is_discontinuous, asked.is_constant) == (True, True, False)


def test_a_packet_time_that_the_codec_lacks_becomes_a_shorter_one() -> None:
    assert plan("", ptime_ms=30).parameters.frame_ms == 20
    assert plan("", ptime_ms=40).make(1).sample_hz == 8000


def test_a_partner_s_rate_that_the_codec_has_needs_no_resampling() -> None:
    assert plan("", 16000).parameters.sample_hz == 16000
    assert plan("", 44100).parameters.sample_hz == 48000
