"""Offers and answers of a call in the middle: what one leg's SDP means for the other. Pure values (RFC 3264, RFC 4733).

Two legs are relayed packet by packet, so both end on one codec; dynamic payload types may differ and are mapped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

from santral.engine.media import Direction, RemoteMedia
from santral.sip.errors import NotAcceptable
from santral.sip.offer_answer import EVENT, Codec, LocalStream, RemoteStream, codec_named, common, event_for, refuse


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a leg's offer and answer came to: one audio codec and perhaps telephone-event, in both numberings.

    `ours` carries the payload types we told the peer to send, `theirs` those the peer told us (RFC 3264 5.1).
    """

    ours: tuple[Codec, ...]
    theirs: tuple[Codec, ...]

    @property
    def audio(self) -> Codec:
        return self.theirs[0]

    @property
    def has_events(self) -> bool:
        return len(self.theirs) > 1


def offer_to_far_end(offer: RemoteStream | None, allowed: Sequence[str]) -> tuple[Codec, ...]:
    """What we offer a callee: the caller's codecs that its trunk allows, in the trunk's order, the caller's numbers.

    Without an offer from the caller (RFC 3261 13.2.1, late offer) it is all the trunk allows. Raises `NotAcceptable`
    when nothing is left.
    """
    if offer is None:
        codecs = tuple(codec_named(name) for name in allowed)
        event: Codec | None = codec_named(EVENT)
    else:
        codecs = common(offer.codecs, allowed)
        event = event_for(codecs[0], offer.events) if codecs else None
    if not codecs:
        raise NotAcceptable("no codec that the other side is allowed to use")
    return codecs if event is None else (*codecs, event)


def agree(offered: Sequence[Codec], answer: RemoteStream) -> Agreement:
    """What the peer's answer made of our offer: its first codec that we offered decides (RFC 3264 7)."""
    if answer.rejected:
        raise NotAcceptable("the audio stream was refused")
    numbers = {codec.key: codec for codec in offered}
    for theirs in answer.codecs:
        if (ours := numbers.get(theirs.key)) is not None:
            break
    else:
        raise NotAcceptable("the answer has no codec that was offered")
    for event in answer.events:
        if (our_event := numbers.get(event.key)) is not None:
            return Agreement((ours, our_event), (theirs, event))
    return Agreement((ours,), (theirs,))


def answer_with(offer: RemoteStream, codec: str, *, events: bool) -> Agreement:
    """Our answer to `offer`: the codec named by plane key `codec`, and telephone-event when both sides have it."""
    for audio in offer.codecs:
        if audio.key == codec:
            break
    else:
        raise NotAcceptable(f"{codec} is not in the offer")
    event = event_for(audio, offer.events) if events else None
    both = (audio,) if event is None else (audio, event)
    return Agreement(both, both)


def answer_from(wanted: Sequence[Codec], offer: RemoteStream) -> Agreement:
    """Our answer to the offer of a peer that we called without one: the first codec we want that it has."""
    if offer.rejected:
        raise NotAcceptable("the audio stream was refused")
    offered = {codec.key for codec in offer.codecs}
    for codec in wanted:
        if codec.key in offered:
            return answer_with(offer, codec.key, events=any(one.name == EVENT for one in wanted))
    raise NotAcceptable("the offer has no codec that the other side takes")


def answer_locally(offer: RemoteStream, allowed: Sequence[str]) -> Agreement:
    """Our answer when the call ends in the engine itself (echo, play): our first choice of the offer."""
    codecs = common(offer.codecs, allowed)
    if not codecs:
        raise NotAcceptable("no codec in common")
    return answer_with(offer, codecs[0].key, events=True)


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
    remote: RemoteStream, agreement: Agreement, direction: str, networks: tuple[str, ...], *, muxes: bool
) -> RemoteMedia:
    """What the media plane has to know of this peer. It is believed when it uses its own numbers towards us, too."""
    receives = {codec.payload_type: codec.key for codec in agreement.theirs}
    receives.update({codec.payload_type: codec.key for codec in agreement.ours})
    return RemoteMedia(
        address=remote.address,
        port=remote.port,
        rtcp_address=remote.rtcp_address if _is_like(remote.address, remote.rtcp_address) else remote.address,
        rtcp_port=remote.rtcp_port,
        rtcp_mux=muxes,
        rtcp=remote.rtcp_wanted,
        latch_networks=networks,
        receives=receives,
        sends={codec.key: codec.payload_type for codec in agreement.theirs},
        direction=cast(Direction, direction),
    )


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


def codecs_after_change(changed: RemoteStream, agreed: Agreement, allowed: Sequence[str]) -> tuple[Codec, ...]:
    """What the other leg is offered after a new offer: what it has, if still offered; else what is in common."""
    if any(codec.key == agreed.audio.key for codec in changed.codecs):
        return agreed.ours
    return offer_to_far_end(changed, allowed)
