"""What the media plane is told and what it reports, as plain values.

Times in fields ending `_s` are seconds, in `_ms` milliseconds. Directions are the *peer's*, as its own SDP states them:
`sendonly` means that the peer sends and wants to hear nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Side = Literal["said", "heard", "played"]  # of a leg's peer; played: what it hears of the engine's own making
SIDES: Final[tuple[Side, ...]] = ("said", "heard", "played")  # as the media thread counts them
Gate = Literal["pass", "swallow", "mask"]
Detected = Literal["dtmf", "tones", "fax", "voice", "level"]
Dtmf = Literal["auto", "rfc4733", "inband", "info"]
Path = Literal["none", "relay", "repacketise", "transcode", "room", "echo", "impossible"]
EventKind = Literal[
    "digits_sent",
    "dtmf",
    "fax",
    "first_packet",
    "level",
    "play_finished",
    "ports_low",
    "quality",
    "silent",
    "source_changed",
    "speaker",
    "talk_started",
    "talk_stopped",
    "timeout",
    "tone",
]

ReportKind = (
    EventKind
    | Literal[  # these stay inside the plane
        "closed", "needs_stage", "released", "returned", "room_closed", "room_played", "room_returned"
    ]
)

TELEPHONE_EVENT: Final = "telephone-event"
MAX_LATCH_NETWORKS: Final = 8
MAX_CNAME_BYTES: Final = 63


class MediaError(Exception):
    """The plane was asked for something it cannot do."""


class PortsExhausted(MediaError):  # noqa: N818 - reads as the state it is
    """No rested port pair is left in the configured range (or no slot under `max_legs`)."""


class LegClosed(MediaError):  # noqa: N818
    """The leg was closed, or is closing: it takes no further commands."""


@dataclass(frozen=True, slots=True)
class PlaneSettings:
    """How one media plane behaves. Zero switches a time-out off.

    `ports` is an inclusive range, used in pairs (RTP even, RTCP the odd one above); `(0, 0)` lets the kernel choose.
    """

    ports: tuple[int, int]
    threads: int = 1
    max_legs: int = 8192
    timeout_s: float = 60.0
    timeout_hold_s: float = 0.0
    no_audio_s: float = 5.0
    keepalive_s: float = 15.0
    rtcp_interval_s: float = 5.0
    rest_s: float = 3.0
    relatch_s: float = 2.0


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master keys with salts of both directions (RFC 3711 §3.2.1): `ours` for what we send, `theirs` for what comes.

    `suite` is named as in SDP (RFC 4568 §6.2, RFC 7714 §14.2). Keys show in no `repr`.
    """

    suite: str
    ours: bytes = field(repr=False)
    theirs: bytes = field(repr=False)


@dataclass(frozen=True)
class RemoteMedia:
    """Where one peer is and how it numbers its payloads: the outcome of one offer and answer.

    `receives` maps the payload types this peer sends us (those of *our* SDP towards it) to codec keys such as
    `PCMU/8000` or `telephone-event/8000`; `sends` maps codec keys to the payload types it wants from us (those of *its*
    SDP). Dynamic numbers may differ per direction (RFC 3264 §5.1). Besides `address`, packets may come from any of
    `latch_networks` (CIDR: the trunk's `media_from`, or the signalling source behind NAT) while the source is learnt.
    The first codec of `sends` that can be encoded is what we encode to where audio is made here.
    """

    address: str
    port: int
    receives: Mapping[int, str]
    sends: Mapping[str, int]
    rtcp_address: str = ""  # empty: as `address`
    rtcp_port: int = 0  # 0: the port above `port` (RFC 3550 §11)
    rtcp_mux: bool = False  # RFC 5761: RTCP travels on the RTP port
    rtcp: bool = True  # False after b=RR:0 and b=RS:0 (RFC 3556): we send no reports
    latch_networks: tuple[str, ...] = ()
    direction: Direction = "sendrecv"
    may_pause: bool = False  # CN, DTX or annexb is in use: silence is no fault, the time-out is not armed
    ptime_ms: int = 0  # packets the peer asked for; 0: not stated, relayed ones keep the length they came with
    maxptime_ms: int = 0  # 0: not stated
    params: Mapping[str, str] = field(default_factory=dict)  # codec key -> fmtp of the peer's description
    dtmf: Dtmf = "auto"  # how the peer hears digits; auto: RFC 4733 where negotiated, else in-band
    cname: str = ""  # empty: random (RFC 7022)
    srtp: SrtpKeys | None = None  # None: plain RTP


@dataclass(frozen=True)
class MediaEvent:
    """Something a media thread noticed. `leg` is `MediaLeg.id`, or 0 when it concerns a room, or the plane.

    dtmf: digit, ms, via ("rfc4733" or "inband"), masked · digits_sent: send_id, digits (how many), completed ·
    fax: tone ("cng" or "ced") · first_packet, source_changed: host, port, ssrc · level: dbov ·
    play_finished: play_id, frames, completed, reason (completed, stopped, replaced, digit, closed) · ports_low: free,
    resting, used · quality: grade (good, fair, poor, bad), r, mos, loss, of the last report interval, when its grade
    is another one · silent, timeout: after_s · speaker (of a room): leg, 0 for nobody · talk_started ·
    talk_stopped: ms · tone: tone, ms (0 while it goes on).
    """

    leg: int
    kind: EventKind
    data: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    room: int = 0  # `MediaRoom.id`


@dataclass(frozen=True)
class LegStats:
    """Counters of one leg since it was opened. Octets are RTP payload octets (RFC 3550 §6.4.1).

    `lost`, `late` and `duplicate` follow RFC 3550 A.3 for what came in; `late` packets arrived behind a later one. What
    came from a wrong source, with an unknown payload type or against the direction is counted apart, in none of these.
    """

    packets_in: int
    packets_out: int
    octets_in: int
    octets_out: int
    lost: int
    late: int
    duplicate: int
    dropped_source: int  # not from the learnt source (RTP injection, or a stray stream)
    dropped_payload: int  # payload type not negotiated, or without a number on the other leg
    dropped_direction: int  # against the direction of either leg (hold), or while something is played to it
    dropped_old: int  # stragglers of a source that was switched away from
    malformed: int
    stun: int
    dtls: int
    send_errors: int
    rtcp_in: int
    rtcp_out: int
    rtcp_malformed: int
    keepalives: int
    dropped_forged: int  # SRTP whose tag is wrong, or plain RTP where SRTP was agreed on
    dropped_replayed: int  # SRTP that was heard before
    source_switches: int  # SSRC changes heard, and learnt address changes
    jitter_ms: float  # RFC 3550 A.8
    ssrc: int  # ours, the one outgoing SSRC of the leg
    remote_ssrc: int | None
    remote: tuple[str, int] | None  # where we send: the learnt source, or the SDP address before that
    locked: bool
    rtt_ms: float | None  # RFC 3550 §6.4.1, from the peer's last report on us
    remote_lost: int | None  # as the peer reports it: cumulative
    remote_fraction_lost: float | None  # 0.0-1.0, of its last interval
    remote_jitter_ms: float | None
    loss: float | None  # 0.0-1.0 of what the peer sent, once there was half a second of it; late is not lost
    interval_loss: float | None  # the same of our last report interval
    bursts: int  # RFC 3611 §4.7.2, with a Gmin of 16; the last one counts when it is over
    burst_lost: int
    burst_packets: int
    r: float | None  # E-model rating of what we hear (G.107); None: not measured, or a codec without factors
    mos: float | None
    remote_r: float | None  # of what the peer hears: its own rating (RTCP XR), else by the loss it reports
    remote_mos: float | None
