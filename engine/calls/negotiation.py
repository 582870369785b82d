"""Offers and answers of a call in the middle: what one leg's SDP means for the other. Pure values (RFC 3264, RFC 4733).

Two legs end on one codec where they can, and are relayed packet by packet: dynamic payload types may differ and are
mapped. Where they cannot, the media plane converts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Protocol, cast

from santral.codecs.fmtp import OFFERED, parse
from santral.engine.media import Direction, RemoteMedia, SrtpKeys, can_transcode
from santral.engine.media.model import Dtmf
from santral.sip.errors import NotAcceptable
from santral.sip.offer_answer import (
    EVENT,
    Codec,
    LocalStream,
    RemoteStream,
    codec_named,
    common,
    event_for,
    refuse,
    renumbered,
)

MAX_NAMES: Final = 64  # of codecs: more than the configuration knows


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a leg's offer and answer came to: one audio codec and perhaps telephone-event, in both numberings.

    `ours` carries the payload types we told the peer to send, `theirs` those the peer told us (RFC 3264 5.1). `others`
    are further codecs that its answer named, ours and theirs: it may use them without a word.
    """

    ours: tuple[Codec, ...]
    theirs: tuple[Codec, ...]
    others: tuple[tuple[Codec, Codec], ...] = ()

    @property
    def audio(self) -> Codec:
        return self.theirs[0]

    @property
    def has_events(self) -> bool:
        return len(self.theirs) > 1


class Terms(Protocol):
    """What the configuration says of one side's codecs."""

    @property
    def codecs(self) -> tuple[str, ...]: ...
    @property
    def transcode(self) -> bool: ...
    @property
    def dtmf(self) -> Dtmf: ...


EVENTED: Final = frozenset({"auto", "rfc4733"})  # ways of digits with telephone-event in the description
CONVERTED: Final = frozenset({"inband", "info"})  # … that are converted for who takes events


def says_events(near: Terms, far: Terms, *, far_has: bool) -> bool:
    """Whether the near side is answered telephone-event: it may have it, and the far side has it, or digits are
    converted; where both leave it open, tones cross in the audio as they are.
    """
    return near.dtmf in EVENTED and (far_has or near.dtmf == "rfc4733" or far.dtmf in CONVERTED)


@lru_cache(MAX_NAMES)
def ours_named(name: str) -> Codec:
    """The codec of this name with what we say of ourselves in a=fmtp."""
    codec = codec_named(name)
    return replace(codec, fmtp=OFFERED.get(codec.key, codec.fmtp))


def offer_alone(names: Iterable[str], dtmf: Dtmf = "auto") -> tuple[Codec, ...]:
    """An offer that depends on no other side."""
    codecs = tuple(ours_named(name) for name in names)
    return (*codecs, codec_named(EVENT)) if dtmf in EVENTED else codecs


def offer_to_far_end(offer: RemoteStream | None, near: Terms, far: Terms) -> tuple[Codec, ...]:
    """What we offer a callee: the caller's codecs that both sides allow, in the callee's order, with the caller's
    numbers; behind them what else the callee's side allows and can be converted, if both sides let us.

    Without an offer from the caller (RFC 3261 13.2.1, late offer) it is all that both allow, or else all the callee's
    side does. Raises `NotAcceptable` when nothing is left.
    """
    if offer is None:
        return offer_alone([name for name in far.codecs if name in near.codecs] or far.codecs, far.dtmf)
    usable = common(offer.codecs, near.codecs)
    shared = common(usable, far.codecs)
    codecs = [*shared, *_convertible(offer, usable, shared, far)] if near.transcode and far.transcode else shared
    if not codecs:
        raise NotAcceptable("no codec that the other side is allowed to use")
    event = _event_for_far_end(offer, codecs, near, far)
    return tuple(codecs) if event is None else (*codecs, event)


def _event_for_far_end(offer: RemoteStream, codecs: Sequence[Codec], near: Terms, far: Terms) -> Codec | None:
    """The caller's telephone-event; one of ours where digits are converted."""
    if far.dtmf not in EVENTED:
        return None
    event = event_for(codecs[0], offer.events) if near.dtmf in EVENTED else None
    if event is None and (far.dtmf == "rfc4733" or near.dtmf in CONVERTED):
        return renumbered(codec_named(EVENT), {codec.payload_type for codec in (*offer.codecs, *codecs)})
    return event


def _convertible(offer: RemoteStream, usable: Sequence[Codec], shared: Sequence[Codec], far: Terms) -> Iterable[Codec]:
    """What the far side may use besides the shared ones, under payload types the caller does not use."""
    if not any(can_transcode(codec.key) for codec in usable):
        return
    known = {codec.key for codec in shared}
    used = {codec.payload_type for codec in (*offer.codecs, *offer.events)}
    for name in far.codecs:
        codec = ours_named(name)
        if codec.key not in known and can_transcode(codec.key):
            codec = renumbered(codec, used)
            used.add(codec.payload_type)
            yield codec


def agree(offered: Sequence[Codec], answer: RemoteStream) -> Agreement:
    """What the peer's answer made of our offer: its first codec that we offered decides (RFC 3264 7)."""
    if answer.rejected:
        raise NotAcceptable("the audio stream was refused")
    numbers = {codec.key: codec for codec in offered}
    both = [(numbers[theirs.key], theirs) for theirs in answer.codecs if theirs.key in numbers]
    if not both:
        raise NotAcceptable("the answer has no codec that was offered")
    events = [(numbers[theirs.key], theirs) for theirs in answer.events if theirs.key in numbers]
    chosen = (both[0], *events[:1])
    return Agreement(tuple(ours for ours, _ in chosen), tuple(theirs for _, theirs in chosen), tuple(both[1:]))


def answer_with(offer: RemoteStream, codec: str, *, events: bool, fmtp: str | None = None) -> Agreement:
    """Our answer to `offer`: the codec named by plane key `codec`, and telephone-event when both sides have it.

    `fmtp` is what the far side says of that codec, if it is who hears it; without it, what we say of ourselves.
    """
    for audio in offer.codecs:
        if audio.key == codec:
            break
    else:
        raise NotAcceptable(f"{codec} is not in the offer")
    event = event_for(audio, offer.events) if events else None
    said = OFFERED.get(audio.key, "") if fmtp is None else fmtp
    audio_of_ours = audio if audio.fmtp == said else replace(audio, fmtp=said)
    if event is None:
        return Agreement((audio_of_ours,), (audio,))
    return Agreement((audio_of_ours, event), (audio, event))


def answer_for(
    offer: RemoteStream, near: Terms, far: Agreement, *, events: bool, now: Agreement | None = None
) -> Agreement:
    """Our answer to `offer` of the side of `near`, whose counterpart has `far`: the codec it has `now`, if it may stay;
    else one its counterpart has, too; else the first of ours that can be converted.

    Raises `NotAcceptable` when there is none.
    """
    theirs = {codec.key: codec for codec in (far.audio, *[theirs for _, theirs in far.others])}
    convertible = [codec for codec in common(offer.codecs, near.codecs) if can_transcode(codec.key)]
    if not near.transcode or not can_transcode(far.audio.key):
        convertible = []
    offered = {codec.key for codec in offer.codecs}
    keys = [now.audio.key] if now is not None else []
    keys = [key for key in keys if key in offered and (key in theirs or key in {one.key for one in convertible})]
    keys += [key for key in theirs if key in offered] + [codec.key for codec in convertible]
    if not keys:
        raise NotAcceptable(f"{far.audio.key} is not in the offer")
    same = theirs.get(keys[0])
    return answer_with(offer, keys[0], events=events, fmtp=same.fmtp if same is not None else None)


def answer_from(wanted: Sequence[Codec], offer: RemoteStream) -> Agreement:
    """Our answer to the offer of a peer that we called without one: the first codec we want that it has."""
    if offer.rejected:
        raise NotAcceptable("the audio stream was refused")
    offered = {codec.key for codec in offer.codecs}
    for codec in wanted:
        if codec.key in offered:
            return answer_with(offer, codec.key, events=any(one.name == EVENT for one in wanted))
    raise NotAcceptable("the offer has no codec that the other side takes")


def answer_locally(offer: RemoteStream, allowed: Sequence[str], dtmf: Dtmf = "auto") -> Agreement:
    """Our answer when the call ends in the engine itself (echo, play): our first choice of the offer that can be heard
    and said here, else our first.
    """
    codecs = sorted(common(offer.codecs, allowed), key=lambda codec: not can_transcode(codec.key))
    if not codecs:
        raise NotAcceptable("no codec in common")
    return answer_with(offer, codecs[0].key, events=dtmf in EVENTED)


def streams(remote: Iterable[RemoteStream], chosen: RemoteStream | None, ours: LocalStream) -> tuple[LocalStream, ...]:
    """Our m= lines facing `remote`: `ours` for the chosen stream, every other is refused with port 0.

    With no remote streams yet (our own offer) there is just `ours`.
    """
    return tuple([ours if stream is chosen else refuse(stream) for stream in remote]) or (ours,)


def check_lines(ours: Sequence[LocalStream], theirs: Sequence[RemoteStream]) -> None:
    """Raise `NotAcceptable` when a peer drops m= lines of a session, or turns one into another kind (RFC 3264 8)."""
    if len(theirs) < len(ours) or any(
        mine.port and mine.kind != other.kind for mine, other in zip(ours, theirs, strict=False)
    ):
        raise NotAcceptable("m= lines have vanished or moved")


def media_of(
    remote: RemoteStream,
    agreement: Agreement,
    direction: str,
    networks: tuple[str, ...],
    *,
    muxes: bool,
    srtp: SrtpKeys | None = None,
    dtmf: Dtmf = "auto",
) -> RemoteMedia:
    """What the media plane has to know of this peer. It is believed when it uses its own numbers towards us, too."""
    ours = (*agreement.ours, *[ours for ours, _ in agreement.others])
    theirs = (*agreement.theirs, *[theirs for _, theirs in agreement.others])
    receives = {codec.payload_type: codec.key for codec in theirs}
    receives.update({codec.payload_type: codec.key for codec in ours})
    return RemoteMedia(
        address=remote.address,
        port=remote.port,
        rtcp_address=remote.rtcp_address if _is_like(remote.address, remote.rtcp_address) else remote.address,
        rtcp_port=remote.rtcp_port,
        rtcp_mux=muxes,
        rtcp=remote.rtcp_wanted,
        latch_networks=networks,
        receives=receives,
        sends={codec.key: codec.payload_type for codec in theirs},
        direction=cast(Direction, direction),
        may_pause=any(_may_pause(codec) for codec in ours),
        ptime_ms=remote.ptime or 0,
        maxptime_ms=remote.maxptime or 0,
        params={codec.key: codec.fmtp for codec in theirs if codec.fmtp},
        srtp=srtp,
        dtmf=dtmf,
    )


def _may_pause(codec: Codec) -> bool:
    """Whether what we say of this codec lets the peer fall silent (RFC 4856 annexb, RFC 7587 usedtx)."""
    said = parse(codec.fmtp)
    if codec.name == "G729":
        return said.get("annexb", "yes").lower() != "no"
    return codec.name == "opus" and said.get("usedtx") == "1"


def _is_like(model: str, address: str) -> bool:
    """Whether this is an address of one host and of the same family: what else a=rtcp may say is not followed."""
    if address == model:
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found.version == ip_address(model).version and not found.is_multicast


SENDING = frozenset({"sendrecv", "sendonly"})
HEARING = frozenset({"sendrecv", "recvonly"})
_DIRECTIONS = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}


def direction_of(sends: bool, hears: bool) -> str:
    return _DIRECTIONS.get((sends, hears), "inactive")


def meet(one: str, other: str) -> str:
    """The direction both allow, each seen from the same side (RFC 3264 6.1)."""
    return direction_of(one in SENDING and other in SENDING, one in HEARING and other in HEARING)


def wish_of(answer: str, offer: str, before: str) -> str:
    """What a peer would send and hear if it could, after this answer of its to this offer of ours: where the offer left
    it no choice, its wish is what it was.
    """
    sends = answer in SENDING if offer in HEARING else before in SENDING
    hears = answer in HEARING if offer in SENDING else before in HEARING
    return direction_of(sends, hears)


def codecs_after_change(
    changed: RemoteStream, near: Terms, now: Agreement, agreed: Agreement, far: Terms
) -> tuple[Codec, ...]:
    """What the far side, which has `agreed`, is offered after a new offer of the near one, which had `now`: what it
    has, if that is still offered, or still converted; else what is in common; else it keeps that and we convert.
    """
    offered = {codec.key for codec in changed.codecs}
    usable = common(changed.codecs, near.codecs)
    converts = near.transcode and can_transcode(agreed.audio.key) and any(can_transcode(one.key) for one in usable)
    if agreed.audio.key in offered or (converts and now.audio.key in offered and now.audio.key != agreed.audio.key):
        return agreed.ours
    codecs = common(usable, far.codecs)
    if codecs:
        event = _event_for_far_end(changed, codecs, near, far)
        return codecs if event is None else (*codecs, event)
    if converts:
        return agreed.ours
    raise NotAcceptable("no codec that the other side is allowed to use")
