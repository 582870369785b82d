"""The descriptions of one leg (RFC 3264): what was offered and answered, by whom, and what the media plane is told.

Knows SDP and the media plane, nothing of SIP messages and nothing of the call. A dialled leg's offer may be answered
by several early dialogs: each answer is kept as a `Fork`, one of them is heard.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from santral.engine.calls import negotiation
from santral.engine.calls.leg.keying import Keying, Lines
from santral.engine.calls.leg.model import Party, sure
from santral.engine.calls.negotiation import Agreement
from santral.engine.media import LegStats, MediaLeg, SrtpKeys
from santral.engine.media.model import MAX_LATCH_NETWORKS
from santral.sip.errors import NotAcceptable
from santral.sip.offer_answer import (
    Codec,
    LocalSession,
    LocalStream,
    RemoteStream,
    answer_direction,
    audio,
    remote_streams,
)
from santral.sip.sdp import SessionDescription

OFFERED_PROFILES: Final = {"off": "RTP/AVP", "optional": "RTP/AVP", "required": "RTP/SAVP"}  # RFC 8643
MAX_FORKS: Final = 32  # early dialogs whose descriptions are kept, as many as a session keeps dialogs


@dataclass(slots=True)
class Stream:
    """One m= line that carries media: our port for it, the peer's side of it, what both came to (rule 11)."""

    kind: str
    media: MediaLeg | None = None
    stats: LegStats | None = None  # final, once the media leg is closed
    remote: RemoteStream | None = None
    agreement: Agreement | None = None
    offered: tuple[Codec, ...] = ()
    direction: str = "sendrecv"  # as our last description states it
    wish: str = "sendrecv"  # of the peer: what it would send and hear if we let it


class Standing(NamedTuple):
    """What holds between a leg and its peer, and holds again when a change is refused (RFC 3261 14.1)."""

    lines: tuple[RemoteStream, ...]
    remote: RemoteStream | None
    direction: str
    offered: tuple[Codec, ...]
    keys: Lines = ()  # of our description


class Fork(NamedTuple):
    """One early dialog's answer to our offer; or its offer, with our answer."""

    lines: tuple[RemoteStream, ...]
    remote: RemoteStream
    agreement: Agreement
    keys: SrtpKeys | None = None
    is_settled: bool = False  # it came reliably: what its 18x and 2xx still describe is nothing (RFC 3261 13.2.1)


class Description:
    """Both sides' session descriptions of one leg. `is_incoming`: the peer called us.

    `streams` are the m= lines we serve, today one for audio; every other line of the peer's is refused with port 0.
    """

    def __init__(self, party: Party, *, is_incoming: bool) -> None:
        self.party = party
        self.is_incoming = is_incoming
        self.audio: Final = Stream("audio")
        self.streams: list[Stream] = [self.audio]
        self.body = b""  # ours, as the peer last got it
        self.heard_from = ""  # the host its signalling comes from: with `nat` its audio may come from there
        self.forks: dict[str, Fork] = {}
        self.heard_tag = ""  # of the early dialog that is heard
        self.awaits_offer = False  # our INVITE had none: its peer offers, we answer
        self.keying = Keying(party.srtp)
        self._local: LocalSession | None = None
        self._wanted = "sendrecv"  # the direction of our answer to an awaited offer
        self._lines: tuple[RemoteStream, ...] = ()  # every m= line of the peer's last description
        self._standing = Standing((), None, "sendrecv", ())  # before the change under way, either way

    def open_media(self, media: MediaLeg, description_id: int) -> None:
        """Own this media leg from now on. `description_id` is the session id of our o= line (RFC 8866 5.2)."""
        self.audio.media = media
        self._local = LocalSession(description_id, self.party.advertise or media.address)

    # ---- what the peer says ----

    def parse(self, body: bytes) -> tuple[tuple[RemoteStream, ...], RemoteStream]:
        """The peer's m= lines and the audio among them. Raises `RemoteError` for what we cannot take."""
        lines = remote_streams(SessionDescription.parse(body))
        stream = audio(lines, self.party.srtp)
        if (":" in stream.address) != (":" in self.party.rtp_address):
            raise NotAcceptable(f"no way to {stream.address} from {self.party.rtp_address}")
        if self._local is not None:
            negotiation.check_lines(self._local.streams, lines)
        return lines, stream

    def read(self, body: bytes | None) -> RemoteStream | None:
        """The peer's audio as this body describes it, remembered as its latest; None without a description.

        Raises `RemoteError` and keeps the old description then.
        """
        if body is None:
            return None
        self._lines, self.audio.remote = self.parse(body)
        return self.audio.remote

    def take_early(self, tag: str, body: bytes, *, is_reliable: bool = False) -> bool:
        """A provisional answer to our offer from the dialog of this To-tag: is it heard from now on? The newest is.

        The same said again is no news. Raises `RemoteError` for an answer that is none; everything stays as it was.
        """
        known = self.forks.get(tag)
        if (known is None and len(self.forks) >= MAX_FORKS) or (known is not None and known.is_settled):
            return False
        lines, stream = self.parse(body)
        if known is not None and known.remote == stream:
            self.forks[tag] = known._replace(is_settled=is_reliable)
            return False
        keys = known.keys if known is not None else None
        if self.awaits_offer:
            agreement = negotiation.answer_from(self.audio.offered, stream)
        else:
            agreement = negotiation.agree(self.audio.offered, stream)
            keys = self.keying.match(stream, self.keying.first)
        self.forks[tag] = Fork(lines, stream, agreement, keys, is_reliable)
        self._hear_fork(tag)
        return True

    def take_final(self, tag: str, body: bytes | None) -> bool:
        """The 2xx of the dialog of this To-tag won: it alone is heard, the others are history. True when it brought the
        offer that our INVITE lacked: `body` is the answer then.

        A description given before stands when the 2xx has none (RFC 3261 13.2.1). Raises `RemoteError` without any.
        """
        was_settled = tag in self.forks and self.forks[tag].is_settled
        if body is not None:
            self.take_early(tag, body)
        if tag not in self.forks:
            raise NotAcceptable("answered without a description")
        if tag != self.heard_tag:
            self._hear_fork(tag)
        self.forks = {}
        is_offer, self.awaits_offer = self.awaits_offer and not was_settled, False
        return is_offer

    def note_change(self) -> None:
        """The dialog that is heard has changed its description since: that is what it stands by now."""
        if self.heard_tag in self.forks:
            stream, keys = self.audio, self.keying.agreed
            self.forks[self.heard_tag] = Fork(self._lines, sure(stream.remote), sure(stream.agreement), keys, True)

    def _hear_fork(self, tag: str) -> None:
        fork = self.forks[tag]
        self.heard_tag = tag
        self._lines, self.audio.remote = fork.lines, fork.remote
        self.keying.settle(fork.keys)
        if self.awaits_offer:
            self.answer(fork.agreement, self._wanted, is_new=True)
            self.forks[tag] = fork._replace(keys=self.keying.agreed)
            return
        self._note_wish(fork.remote)
        self.settle(fork.agreement, is_new=True)

    # ---- what we say ----

    def offer(self, codecs: tuple[Codec, ...], direction: str = "sendrecv") -> bytes:
        """Our description as an offer of these codecs; the peer's answer is matched against it."""
        self.audio.offered = codecs
        keys = self.keying.offer(self.heard_tag, is_first=self.audio.agreement is None)
        return self._describe(codecs, direction, keys)

    def await_offer(self, codecs: tuple[Codec, ...], direction: str) -> None:
        """Our INVITE goes without an offer: the first of these codecs that the peer offers will be our answer."""
        self.awaits_offer = True
        self.audio.offered, self._wanted = codecs, direction

    def answer(self, agreement: Agreement, limit: str, *, is_new: bool = False) -> bytes:
        """Our answer to the peer's offer, in no more directions than `limit`; settled at once."""
        remote = self.audio.remote
        mirrored = "sendrecv" if remote is None else answer_direction(remote.direction)
        keys = self.keying.answer(remote, self.heard_tag)
        body = self._describe(agreement.ours, negotiation.meet(mirrored, limit), keys)
        self.audio.wish = "sendrecv" if remote is None else remote.direction
        self.audio.offered = agreement.ours  # a refresh of the session offers what we answered
        self.settle(agreement, is_new=is_new)
        return body

    def settle_answer_of(self, stream: RemoteStream) -> None:
        """The peer's answer to our offer, read before; raises `NotAcceptable` when it took nothing we offered."""
        agreement = negotiation.agree(self.audio.offered, stream)
        self.keying.settle(self.keying.match(stream, self.keying.lines))
        self._note_wish(stream)
        self.settle(agreement)

    def _note_wish(self, answer: RemoteStream) -> None:
        """An answer tells the peer's wish only where our offer left it the choice (RFC 3264 6.1)."""
        stream = self.audio
        stream.wish = negotiation.wish_of(answer.direction, stream.direction, stream.wish)

    def settle(self, agreement: Agreement, *, is_new: bool = False) -> None:
        """Both sides' numbers are known (again). The media plane learns what has changed; an address, a codec or a new
        early dialog opens a latch window, hold and refresh keep the learnt source.
        """
        stream = self.audio
        stream.agreement = agreement
        remote, plane_leg = sure(stream.remote), sure(stream.media)
        direction = negotiation.meet(remote.direction, answer_direction(stream.direction))
        if self.needs_new_key:
            direction = negotiation.meet(direction, "sendonly")
        media = negotiation.media_of(
            remote,
            agreement,
            direction,
            self._latch_networks(),
            muxes=self._muxes,
            srtp=self.keying.agreed,
            dtmf=self.party.dtmf,
        )
        known = plane_leg.remote
        if known is None and self.party.dtmf == "inband":
            plane_leg.detect("dtmf")
        if known is None or is_new or replace(media, direction=known.direction) != known:
            plane_leg.set_remote(media)
        elif media.direction != known.direction:
            plane_leg.set_direction(media.direction)

    @property
    def needs_new_key(self) -> bool:
        """Another early dialog was sent media by this SRTP key of ours: this one gets none before a new offer."""
        return not self.keying.owned_by(self.heard_tag)

    def _latch_networks(self) -> tuple[str, ...]:
        if not self.party.nat or not self.heard_from:
            return self.party.latch_networks
        return (*self.party.latch_networks, self.heard_from)[-MAX_LATCH_NETWORKS:]

    def _describe(self, codecs: tuple[Codec, ...], direction: str, keys: Lines) -> bytes:
        """Our SDP; unchanged content keeps its version (RFC 3264 8)."""
        stream = self.audio
        stream.direction = direction
        media, remote = sure(stream.media), stream.remote
        ours = LocalStream(
            stream.kind,
            self.party.advertise or media.address,
            media.port,
            codecs,
            direction,
            self.party.ptime_ms,
            OFFERED_PROFILES[self.party.srtp] if remote is None else remote.protocol,
            rtcp_mux=self._muxes,
            crypto=keys,
        )
        self.body = sure(self._local).render(negotiation.streams(self._lines, remote, ours))
        return self.body

    @property
    def _muxes(self) -> bool:
        """RTCP shares the RTP port when the peer offered so (RFC 5761 5.1.1); our own offers do not ask for it."""
        return self.is_incoming and self.audio.remote is not None and self.audio.remote.rtcp_mux

    # ---- changes that may be refused ----

    def stand(self) -> Standing:
        """What holds now."""
        return Standing(self._lines, self.audio.remote, self.audio.direction, self.audio.offered, self.keying.lines)

    def hold_on_to(self, standing: Standing | None = None) -> None:
        """A change begins: this is what `go_back` returns to."""
        self._standing = standing or self.stand()

    def go_back(self) -> None:
        stream = self.audio
        self._lines, stream.remote, stream.direction, stream.offered, self.keying.lines = self._standing
