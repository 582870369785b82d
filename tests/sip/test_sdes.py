"""a=crypto: what is read, what is as good as absent, and that keys stay out of sight."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.sip.errors import LocalError, Malformed
from santral.sip.sdes import SUITES, Crypto, choose, make, read_all

KEY_30 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
KEY_28 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw=="
CM_80 = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}"


def test_reads_a_line() -> None:
    crypto = Crypto.parse(CM_80)
    assert (crypto.tag, crypto.suite, crypto.key) == (1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
    assert str(crypto) == CM_80
    assert KEY_30 not in repr(crypto)
    assert "inline" not in repr(crypto)


@pytest.mark.parametrize(
    "text",
    [
        f"2 AEAD_AES_128_GCM inline:{KEY_28}",
        f"{CM_80}|2^31",
        f"{CM_80}|1048576",
        f"{CM_80} WSH=64",
        f"{CM_80} KDR=0 -future",
    ],
)
def test_what_changes_nothing_is_taken(text: str) -> None:
    assert len(Crypto.parse(text).key) in {28, 30}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1 AES_CM_128_HMAC_SHA1_80",
        f"01 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}",
        f"1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}",
        f"1a AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}",
        f"-1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}",
        f"1 AES_CM_256_HMAC_SHA1_80 inline:{KEY_30}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_28}",
        f"1 AES_CM_128_HMAC_SHA1_80 {KEY_30}",
        "1 AES_CM_128_HMAC_SHA1_80 inline:Invalid@@@###",
        f"{CM_80}|2^31|1:4",
        f"{CM_80}|1:4",
        f"{CM_80};inline:{KEY_30}",
        f"{CM_80} UNENCRYPTED_SRTP",
        f"{CM_80} UNAUTHENTICATED_SRTP",
        f"{CM_80} KDR=1",
        f"{CM_80} FEC_ORDER=FEC_SRTP",
        f"{CM_80} {'x' * 600}",
    ],
)
def test_what_cannot_be_served_is_refused_without_its_key(text: str) -> None:
    with pytest.raises(Malformed) as refusal:
        Crypto.parse(text)
    assert KEY_30[:10] not in str(refusal.value)


def test_the_offerers_order_decides_and_one_tag_counts_once() -> None:
    lines = [
        f"3 AES_CM_128_HMAC_SHA1_32 inline:{KEY_30}",
        "4 F8_128_HMAC_SHA1_80 inline:xxxx",
        CM_80,
        f"1 AEAD_AES_128_GCM inline:{KEY_28}",
    ]
    offered = read_all(lines)
    assert [one.tag for one in offered] == [3, 1]
    assert choose(offered) == offered[0]
    assert choose(offered, ["AES_CM_128_HMAC_SHA1_80"]) == offered[1]
    assert choose(offered, []) is None


@pytest.mark.parametrize("suite", SUITES)
def test_a_made_line_reads_back(suite: str) -> None:
    ours = make(7, suite, os.urandom)
    assert Crypto.parse(str(ours)) == ours
    assert len(ours.key) == sum(SUITES[suite])


def test_a_key_of_the_wrong_length_is_our_bug() -> None:
    with pytest.raises(LocalError):
        Crypto(1, "AES_CM_128_HMAC_SHA1_80", b"short")


@given(st.text(max_size=80))
def test_only_malformed_comes_out(text: str) -> None:
    for value in (text, f"1 AES_CM_128_HMAC_SHA1_80 {text}", f"{CM_80} {text}"):
        try:
            crypto = Crypto.parse(value)
        except Malformed:
            continue
        assert Crypto.parse(str(crypto)) == crypto


@pytest.mark.corpus
def test_lines_that_others_got_wrong() -> None:
    corpus = os.environ.get("SANTRAL_CORPUS")
    if not corpus:
        pytest.skip("SANTRAL_CORPUS is not set")
    usable = {}
    for path in sorted(Path(corpus, "fuzz/pjsip/sdes").iterdir()):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        usable[path.stem] = [one.tag for one in read_all(x[9:] for x in lines if x.startswith("a=crypto:"))]
    assert len(usable) > 10
    assert not any(usable.values())  # each has a key too short for its suite, or worse
