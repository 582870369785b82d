"""What fuzzing found before must hold for ever: its seeds, its corpus, and the findings it made."""

from pathlib import Path

import msgpack
import pytest

from santral.bench.fuzz.seeds import MESSAGES, SEEDS
from santral.bench.fuzz.targets import RECORD, TARGETS, stack

CORPUS = Path(__file__).parent / "fuzz"


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_seeds_and_corpus_give_no_finding(target: str) -> None:
    for data in SEEDS[target] + msgpack.unpackb((CORPUS / f"{target}.msgpack").read_bytes()):
        TARGETS[target](data)


def test_every_seed_is_understood() -> None:
    """A seed that is refused at once would lead nowhere."""
    from santral.sip.message import parse_message  # noqa: PLC0415

    for message in MESSAGES[:-1]:
        if b"*\r\n" not in message:  # `*` beside a contact is wrong on purpose
            parse_message(message.replace(b"\x01", b"z9hG4bKx").replace(b"\x02", b"t").replace(b"\x03", b"c"))


def test_a_first_reliable_response_with_another_cseq_is_still_progress() -> None:
    """Found by fuzzing: it was ignored while its transaction waited no more, so that CANCEL waited for ever."""
    odd = MESSAGES[14].replace(b"CSeq: 1 INVITE", b"CSeq: 0 INVITE")
    assert odd != MESSAGES[14]
    stack(RECORD.join([b"m\x01", b"oi", b"\x00" + odd, b"t\x06"]))


def test_a_contact_with_uri_headers_makes_a_request_uri_without_them() -> None:
    """Found by fuzzing: the ACK went to a Request-URI that no parser takes (RFC 3261 19.1.1)."""
    odd = MESSAGES[15].replace(b"<sip:bob@127.0.0.1:5090>", b"<sip:bob@127.0.0.1:5090?Subject=x>")
    assert odd != MESSAGES[15]
    stack(RECORD.join([b"m\x01", b"oi", b"\x00" + odd, b"or", b"ob"]))
