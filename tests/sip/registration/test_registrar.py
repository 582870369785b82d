"""The registrar's books, with a clock of their own (RFC 3261 section 10)."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from santral.sip.errors import Malformed, RemoteError
from santral.sip.events import Hop
from santral.sip.headers import Headers
from santral.sip.message import Request
from santral.sip.registration.registrar import MAX_CONTACTS, Outcome, Registrar, RegistrarSettings
from santral.sip.uri import NameAddr, Uri

AOR = "101@acme.example"
UDP = Hop("udp", "192.0.2.7", 5060, "lan")
TCP = Hop("tcp", "192.0.2.8", 40000, "lan")


def register(*contacts: str, call_id: str = "c1", cseq: int = 1, **headers: str) -> Request:
    lines = [("From", f"<sip:{AOR}>;tag=1"), ("To", f"<sip:{AOR}>"), ("Call-ID", call_id), ("CSeq", f"{cseq} REGISTER")]
    lines += [("Contact", one) for one in contacts]
    lines += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request("REGISTER", Uri.parse("sip:acme.example"), Headers(lines))


class Books:
    def __init__(self) -> None:
        self.registrar = Registrar(RegistrarSettings(min_expires=60, default_expires=300, max_expires=600))
        self.now = 1000.0
        self.cseq = 0

    def take(self, *contacts: str, source: Hop = UDP, **more: Any) -> Outcome:
        self.cseq += 1
        request = register(*contacts, **{"cseq": self.cseq, **more})
        return self.registrar.register(AOR, request, source, self.now)

    @property
    def contacts(self) -> list[str]:
        return [one.contact for one in self.registrar.bindings(AOR, self.now)]


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.mark.parametrize(
    ("parameter", "header", "seconds"),
    [(";expires=120", "", 120), ("", "200", 200), ("", "", 300), (";expires=99999", "", 600), (";expires=x", "90", 90)],
)
def test_how_long_a_contact_stands(books: Books, parameter: str, header: str, seconds: int) -> None:
    outcome = books.take(f"<sip:a@192.0.2.7>{parameter}", **({"Expires": header} if header else {}))
    assert outcome.headers == (("Contact", f"<sip:a@192.0.2.7>;expires={seconds}"),)
    books.now += seconds - 0.5
    assert books.contacts == ["sip:a@192.0.2.7"]
    books.now += 1
    assert books.contacts == []
    assert [binding.contact for _, binding in books.registrar.drop_expired(books.now)] == ["sip:a@192.0.2.7"]
    assert len(books.registrar) == 0
    assert not books.registrar.hosts


def test_too_brief_is_423_with_the_least(books: Books) -> None:
    outcome = books.take("<sip:a@h>;expires=59")
    assert (outcome.status, outcome.headers) == (423, (("Min-Expires", "60"),))
    assert books.contacts == []


def test_asking_changes_nothing(books: Books) -> None:
    books.take("<sip:a@h>")
    outcome = books.take()
    assert (outcome.status, outcome.kept, outcome.removed) == (200, (), ())
    assert outcome.headers[0][1].startswith("<sip:a@h>")


def test_several_contacts_by_q(books: Books) -> None:
    books.take("<sip:low@h>;q=0.1", "<sip:high@h>;q=1.0", "<sip:mid@h>;q=0.5")
    assert books.contacts == ["sip:high@h", "sip:mid@h", "sip:low@h"]


def test_a_refresh_replaces_and_is_not_new(books: Books) -> None:
    assert len(books.take("<sip:a@H.example:5060;transport=tcp;x=1>").added) == 1
    outcome = books.take("<sip:a@h.example:5060;transport=TCP;x=2>")
    assert (len(outcome.kept), outcome.added) == (1, ())
    assert books.contacts == ["sip:a@h.example:5060;transport=TCP;x=2"]


def test_a_contact_of_the_same_instance_replaces_the_old_one(books: Books) -> None:
    books.take('<sip:a@192.0.2.7>;+sip.instance="<urn:uuid:1>"')
    outcome = books.take('<sip:a@192.0.2.99>;+sip.instance="<urn:uuid:1>"', call_id="after-a-restart", cseq=1)
    assert outcome.added == ()
    assert books.contacts == ["sip:a@192.0.2.99"]
    assert '+sip.instance="<urn:uuid:1>"' in outcome.headers[0][1]


def test_out_of_order_changes_nothing(books: Books) -> None:
    books.take("<sip:a@h>;expires=100", cseq=7)
    assert books.take("<sip:a@h>;expires=600", cseq=7).status == 500
    assert books.take("<sip:a@h>;expires=0", cseq=6).status == 500
    assert books.registrar.bindings(AOR, books.now)[0].left(books.now) == 100
    assert books.take("<sip:a@h>;expires=600", cseq=1, call_id="anew").status == 200


def test_all_or_nothing(books: Books) -> None:
    books.take("<sip:a@h>", cseq=5)
    assert books.take("<sip:new@h>", "<sip:a@h>", cseq=5).status == 500
    assert books.contacts == ["sip:a@h"]
    with pytest.raises(Malformed):
        books.take("<sip:new@h>", "<mailto:a@h>")
    assert books.contacts == ["sip:a@h"]


def test_the_star_takes_all_away(books: Books) -> None:
    books.take("<sip:a@h>", "<sip:b@h>")
    with pytest.raises(Malformed):
        books.take("*")
    with pytest.raises(Malformed):
        books.take("*", "<sip:c@h>", Expires="0")
    assert books.take("*", Expires="0", cseq=1).status == 500
    outcome = books.take("*", Expires="0")
    assert (len(outcome.removed), outcome.headers, books.contacts) == (2, (), [])


def test_at_most_ten_contacts(books: Books) -> None:
    for n in range(MAX_CONTACTS):
        assert books.take(f"<sip:a@h{n}>").status == 200
    assert books.take("<sip:a@more>").status == 403
    assert len(books.contacts) == MAX_CONTACTS
    assert books.take("<sip:a@h3>;expires=0", "<sip:a@more>").status == 200


def test_the_path_is_kept_and_told(books: Books) -> None:
    outcome = books.take("<sip:a@h>", Path="<sip:edge.example;lr>, <sip:core.example;lr>", Supported="path")
    assert [value for name, value in outcome.headers if name == "Path"] == [
        "<sip:edge.example;lr>", "<sip:core.example;lr>",
    ]  # fmt: skip
    assert books.registrar.bindings(AOR, books.now)[0].path == ("<sip:edge.example;lr>", "<sip:core.example;lr>")


def test_a_block_of_numbers(books: Books) -> None:
    outcome = books.take("<sip:198.51.100.3:5060;bnc>", Require="gin")
    assert ("Require", "gin") in outcome.headers
    assert books.registrar.bindings(AOR, books.now)[0].is_block


def test_contacts_die_with_their_connection(books: Books) -> None:
    books.take("<sip:a@h>", source=UDP)
    books.take("<sip:b@h>", source=TCP)
    assert books.registrar.drop_flow(TCP._replace(port=1)) == []
    assert [binding.contact for _, binding in books.registrar.drop_flow(TCP)] == ["sip:b@h"]
    assert books.contacts == ["sip:a@h"]
    assert dict(books.registrar.hosts) == {UDP.host: 1}


@pytest.mark.parametrize("instance", ['<urn:uuid:1>\\"x', "a" * 129, "a\\\tb"])
def test_an_instance_comes_back_as_it_was_or_not_at_all(books: Books, instance: str) -> None:
    contact = f'<sip:a@h>;+sip.instance="{instance}"'
    if len(instance) > 128 or "\t" in instance:
        with pytest.raises(Malformed):
            books.take(contact)
        return
    (line,) = [value for name, value in books.take(contact).headers if name == "Contact"]
    assert NameAddr.parse(line).param("+sip.instance") == NameAddr.parse(contact).param("+sip.instance")


@given(st.lists(st.text(max_size=40), max_size=4), st.text(max_size=10), st.text(max_size=10))
def test_only_refusals_come_out(contacts: list[str], expires: str, path: str) -> None:
    books = Books()
    try:
        books.take(*contacts, Expires=expires, Path=path)
    except RemoteError:
        assert books.contacts == []


class Phones(RuleBasedStateMachine):
    """Phones come, refresh, go and expire: the counts beside the books never differ from the books."""

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()

    @rule(phone=st.integers(0, 12), seconds=st.sampled_from([0, 60, 300]), source=st.sampled_from([UDP, TCP]))
    def take(self, phone: int, seconds: int, source: Hop) -> None:
        self.books.take(f"<sip:p{phone}@h>;expires={seconds}", source=source)

    @rule(seconds=st.integers(1, 200))
    def wait(self, seconds: int) -> None:
        self.books.now += seconds
        self.books.registrar.drop_expired(self.books.now)

    @rule()
    def cut(self) -> None:
        self.books.registrar.drop_flow(TCP)

    @rule()
    def remove(self) -> None:
        self.books.registrar.drop({AOR})

    @invariant()
    def agrees(self) -> None:
        registrar = self.books.registrar
        found = [binding for _, binding in registrar.items()]
        assert sum(registrar.hosts.values()) == len(found) == len(registrar) <= MAX_CONTACTS
        assert all(registrar.hosts[one.source.host] > 0 for one in found)
        cut = [binding for _, binding in deepcopy(registrar).drop_flow(TCP)]
        assert cut == [binding for binding in found if binding.source == TCP]


TestPhones = Phones.TestCase
