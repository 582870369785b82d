"""Our own registration with one carrier: the REGISTER requests of an enrolment, and the contact calls come in by."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import Final

from santral.sip.agent import UserAgent
from santral.sip.auth.account import Account
from santral.sip.events import Action, Hop
from santral.sip.registration.enrolment import Enrolment
from santral.sip.uri import NameAddr, Uri, escape_user

TOKEN_OCTETS: Final = 8


@dataclass(slots=True)
class Registration:
    """One trunk's. `token` is the user part of our contact: nobody else knows it, so it says whose call comes in."""

    trunk: str
    username: str
    targets: tuple[str, ...]
    account: Account
    token: str
    enrolment: Enrolment
    place: int = 0  # counts on: which target is in use, and in the next rounds which of its hops
    hop: Hop | None = None
    key: str = ""  # of the REGISTER under way
    hosts: set[str] = field(default_factory=set)  # of the registrar: calls to the contact come from there

    @classmethod
    def of(cls, trunk: str, username: str, password: str, targets: Iterable[str], account: Account) -> "Registration":
        """The token stays the same over restarts, so that calls to a registration of the last run are known."""
        key = blake2s(password.encode()).digest()
        token = blake2s(f"{trunk}\0{username}".encode(), key=key, digest_size=TOKEN_OCTETS).hexdigest()
        enrolment = Enrolment(contact=f"<sip:{token}@localhost>", call_id="")
        return cls(trunk, username, tuple(targets), account, token, enrolment)

    @property
    def target(self) -> str:
        return self.targets[self.place % len(self.targets)]

    def send(self, agent: UserAgent, hop: Hop, now: float, *, leave: bool = False) -> list[Action]:
        """REGISTER to this hop; with `leave` the one that ends it."""
        enrolment = self.enrolment
        self.hop = hop
        self.hosts.add(hop.host)
        enrolment.call_id = enrolment.call_id or agent.new_call_id()
        enrolment.contact = agent.contact(hop, self.token)
        registrar = Uri.parse(self.target).with_(params=())
        address = NameAddr("", registrar.with_(user=escape_user(self.username), port=None))
        expires = 0 if leave else enrolment.expires_s
        self.key, actions = agent.request(
            method="REGISTER",
            hop=hop,
            uri=registrar,
            from_=address,
            to=address,
            headers=(("Contact", f"{enrolment.contact};expires={expires}"), ("Expires", str(expires))),
            call_id=enrolment.call_id,
            cseq=enrolment.begin(),
            account=self.account,
            now=now,
        )
        return actions
