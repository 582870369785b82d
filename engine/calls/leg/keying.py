"""The SRTP keys of one leg (RFC 4568): our lines in offers and answers, what both came to, and when a new key is due.

All who answer one offer of ours know our key. Media goes to the first of them that is heard; to another only after a
key that it alone knows (RFC 4568 section 7.3), which an offer to it brings.
"""

from collections.abc import Callable

from santral.engine.ids import CHANCE
from santral.engine.media import SrtpKeys
from santral.sip.errors import NotAcceptable
from santral.sip.offer_answer import RemoteStream, SrtpPolicy
from santral.sip.sdes import SUITES, Crypto, choose, make

Lines = tuple[Crypto, ...]


class Keying:
    """Our side of one leg's key exchange. Keys are in no `repr`."""

    def __init__(self, policy: SrtpPolicy, entropy: Callable[[int], bytes] = CHANCE.randbytes) -> None:
        self.policy = policy
        self.lines: Lines = ()  # of our latest description
        self.first: Lines = ()  # of the offer that every early dialog answers
        self.agreed: SrtpKeys | None = None
        self._tag = 1  # of the line that was agreed on
        self._owners: dict[bytes, str] = {}  # key of ours -> the early dialog that media goes to with it
        self._entropy = entropy

    def owned_by(self, tag: str) -> bool:
        """Whether media may go to the early dialog of this To-tag; the first one that asks owns the key."""
        return self.agreed is None or self._owners.setdefault(self.agreed.ours, tag) == tag

    def offer(self, tag: str, *, is_first: bool) -> Lines:
        """Lines of an offer to the dialog of this tag: at first all suites, later the agreed key while that may be."""
        if self.agreed is not None:
            suite, keeps = self.agreed.suite, self.owned_by(tag)
            ours = Crypto(self._tag, suite, self.agreed.ours) if keeps else make(self._tag, suite, self._entropy)
            self.lines = (ours,)
        elif is_first and self.policy != "off":
            self.lines = self.first = tuple([make(n, suite, self._entropy) for n, suite in enumerate(SUITES, 1)])
        else:
            self.lines = ()
        return self.lines

    def answer(self, offer: RemoteStream | None, tag: str) -> Lines:
        """The line of our answer, in force at once. A peer that keeps its key keeps ours; a new one gets a new one."""
        chosen = None if offer is None or self.policy == "off" else choose(offer.crypto)
        if chosen is None:
            self.agreed, self.lines = None, ()
            return ()
        before = self.agreed
        if before is not None and (before.suite, before.theirs) == (chosen.suite, chosen.key) and self.owned_by(tag):
            ours = Crypto(chosen.tag, chosen.suite, before.ours)
        else:
            ours = make(chosen.tag, chosen.suite, self._entropy)
        self._take(ours, chosen)
        self.lines = (ours,)
        return self.lines

    def match(self, answer: RemoteStream, lines: Lines) -> SrtpKeys | None:
        """What this answer makes of our offer of these lines: the one with its tag and suite (RFC 4568 section 5.1.3).

        None: no SRTP. Raises `NotAcceptable` when that is not what the peer or our policy says.
        """
        proposed = {(ours.tag, ours.suite): ours for ours in lines}
        for theirs in answer.crypto:
            ours = proposed.get((theirs.tag, theirs.suite))
            if ours is not None:
                return SrtpKeys(ours.suite, ours.key, theirs.key)
        if answer.is_secure or self.policy == "required" or (answer.crypto and lines):
            raise NotAcceptable("the answer has no SRTP key that goes with ours")
        return None

    def settle(self, keys: SrtpKeys | None) -> None:
        """These are in force from now on."""
        if keys is not None:
            self._tag = next((one.tag for one in (*self.lines, *self.first) if one.key == keys.ours), self._tag)
        self.agreed = keys

    def _take(self, ours: Crypto, theirs: Crypto) -> None:
        self._tag = ours.tag
        self.agreed = SrtpKeys(ours.suite, ours.key, theirs.key)
