"""Digest against the RFCs' own examples, and the server's side with a clock of its own."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.sip.auth.account import Account
from santral.sip.auth.challenger import MAX_NONCES, NONCE_LIFETIME_S, Challenger, Known, Proof
from santral.sip.auth.digest import ALGORITHMS, Challenge, Credentials, digest, ha1
from santral.sip.errors import Malformed
from santral.sip.headers import Headers
from santral.sip.message import Request
from santral.sip.uri import Uri

REALM = "acme.example"
HOST = "192.0.2.7"
WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)

# RFC 7616 3.9.1: one request, both algorithms.
MUFASA = {
    "username": "Mufasa", "realm": "http-auth@example.org", "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "nc": 1, "qop": "auth",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
}  # fmt: skip


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm: str, response: str) -> None:
    made = Credentials(response="", algorithm=algorithm, **MUFASA)  # type: ignore[arg-type]
    secret = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    assert digest(made, secret, "GET", b"") == response


@pytest.mark.skipif("SHA-512-256" not in ALGORITHMS, reason="this OpenSSL has no SHA-512/256")
def test_sha_512_256_is_the_published_hash() -> None:
    """FIPS 180-4's example "abc" for SHA-512/256."""
    assert ALGORITHMS["SHA-512-256"](b"abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"


def test_the_example_of_rfc_2617() -> None:
    made = Credentials(
        username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        uri="/dir/index.html", response="", qop="auth", nc=1, cnonce="0a4f113b",
    )  # fmt: skip
    secret = ha1("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life")
    assert digest(made, secret, "GET", b"") == "6629fae49393a05397450978507c4ef1"


def test_without_qop_it_is_rfc_2069() -> None:
    made = Credentials("Mufasa", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "/dir/index.html", "")
    assert digest(made, ha1("MD5", "Mufasa", "testrealm@host.com", "CircleOfLife"), "GET", b"") == (
        "1949323746fe6a43ef61f9606e7febea"  # RFC 2069 2.4, by erratum 749
    )


@given(WORD, WORD, st.sampled_from(["MD5", "SHA-256", "MD5-sess"]), st.booleans(), WORD)
def test_challenges_survive_the_wire(realm: str, nonce: str, algorithm: str, stale: bool, opaque: str) -> None:
    made = Challenge(realm, nonce, algorithm, ("auth", "auth-int"), opaque, stale)
    assert Challenge.parse(str(made)) == made


@given(WORD, WORD, WORD, st.integers(0, 2**32 - 1), st.booleans())
def test_credentials_survive_the_wire(name: str, realm: str, nonce: str, nc: int, hashed: bool) -> None:
    made = Credentials(name, realm, nonce, "sip:a@b", "0" * 32, "SHA-256", "auth", nc, "c", "o", hashed)
    assert Credentials.parse(str(made)) == made


@given(st.text(max_size=200) | st.text(max_size=100).map("Digest ".__add__))
def test_only_malformed_comes_out_of_the_parser(text: str) -> None:
    for kind in (Challenge, Credentials):
        with suppress(Malformed):
            kind.parse(text)


def test_a_name_outside_ascii_comes_in_its_own_parameter() -> None:
    name = "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, "
    text = name + 'realm="r", nonce="n", uri="sip:a", response="x", userhash=false'
    assert Credentials.parse(text).username == "Jäsøn Doe"


# -- the server --------------------------------------------------


class Server:
    """A challenger with one user, and the requests of somebody who tries."""

    def __init__(self, **settings: object) -> None:
        self.challenger = Challenger(random.Random(3).randbytes, **settings)  # type: ignore[arg-type]
        self.now = 1000.0
        self.secrets = {name: ha1(name, "101", REALM, "secret") for name in ("MD5", "SHA-256")}

    def find(self, name: str, is_hash: bool) -> Known | None:
        hashes = {ALGORITHMS[one](f"101:{REALM}".encode()) for one in ("MD5", "SHA-256")}
        return Known("101", self.secrets) if (name == "101" and not is_hash) or (is_hash and name in hashes) else None

    def challenge(self, place: int = 0) -> Challenge:
        return Challenge.parse(self.challenger.challenges(REALM, HOST, self.now)[place])

    def judge(
        self, credentials: Credentials | str, method: str = "REGISTER", body: bytes = b"", host: str = HOST
    ) -> Proof:
        request = Request(method, Uri.parse(f"sip:{REALM}"), Headers([("Authorization", str(credentials))]), body)
        return self.challenger.verify(request, REALM, host, self.find, self.now).proof


def proof(
    challenge: Challenge, password: str = "secret", name: str = "101", method: str = "REGISTER", body: bytes = b""
) -> Credentials:
    return Account(name, password).answer(challenge, method, f"sip:{REALM}", body, random.Random(5).randbytes)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.mark.parametrize("place", [0, 1])
def test_the_right_password_is_good_with_every_algorithm_offered(server: Server, place: int) -> None:
    assert server.challenge(0).algorithm == "SHA-256"
    assert server.judge(proof(server.challenge(place))) is Proof.GOOD


@pytest.mark.parametrize(
    "change",
    [
        {"password": "wrong"},
        {"name": "nobody"},
        {"method": "INVITE"},
    ],
)
def test_what_does_not_fit_is_wrong(server: Server, change: dict[str, str]) -> None:
    assert server.judge(proof(server.challenge(), **change)) is Proof.WRONG  # type: ignore[arg-type]


def test_a_digest_made_for_another_uri_is_wrong(server: Server) -> None:
    made = Account("101", "secret").answer(server.challenge(), "REGISTER", "sip:b@c", b"", random.Random(5).randbytes)
    assert server.judge(made) is Proof.WRONG


def test_no_credentials_or_others_are_missing(server: Server) -> None:
    other_realm, other_hash = proof(Challenge("elsewhere", "n")), str(proof(Challenge(REALM, "n"))).replace("MD5", "X")
    for text in ("", "Basic x", "Digest", "Digest realm", str(other_realm), other_hash):
        assert server.judge(text) is Proof.MISSING


def test_a_count_used_before_is_stale_and_a_higher_one_good(server: Server) -> None:
    account, challenge, entropy = Account("101", "secret"), server.challenge(), random.Random(5).randbytes
    made = [account.answer(challenge, "REGISTER", f"sip:{REALM}", b"", entropy) for _ in range(4)]
    assert [one.nc for one in made] == [1, 2, 3, 4]
    assert [server.judge(made[i]) for i in (0, 0, 2, 1, 3)] == [
        Proof.GOOD, Proof.STALE, Proof.GOOD, Proof.STALE, Proof.GOOD,
    ]  # fmt: skip


def test_without_qop_a_nonce_serves_once(server: Server) -> None:
    plain = Challenge(REALM, server.challenge().nonce, "MD5")
    assert proof(plain).qop is None
    assert [server.judge(proof(plain)) for _ in range(2)] == [Proof.GOOD, Proof.STALE]


def test_an_old_nonce_is_stale_and_told_so(server: Server) -> None:
    made = proof(server.challenge())
    server.now += NONCE_LIFETIME_S + 1
    assert server.judge(made) is Proof.STALE
    assert Challenge.parse(server.challenger.challenges(REALM, HOST, server.now, stale=True)[0]).stale


def test_a_nonce_of_another_address_or_engine_blames_nobody(server: Server) -> None:
    """Only who has got our nonce can fail with it: forged packets count for nothing."""
    assert server.judge(proof(server.challenge(), "wrong"), host="192.0.2.8") is Proof.STALE
    assert server.judge(proof(Challenge(REALM, "forged"), "wrong")) is Proof.STALE
    assert server.judge(proof(Challenge(REALM, "fé"), "wrong")) is Proof.STALE
    assert Server().challenger._secret == server.challenger._secret
    server.challenger._secret = b"another engine's, 32 octets long"
    assert Server().judge(proof(server.challenge(), "wrong")) is Proof.STALE


def test_auth_int_covers_the_body(server: Server) -> None:
    challenge = Challenge(REALM, server.challenge().nonce, "SHA-256", ("auth-int",))
    made = proof(challenge, body=b"v=0")
    assert made.qop == "auth-int"
    assert server.judge(made, body=b"v=1") is Proof.WRONG
    assert server.judge(made, body=b"v=0") is Proof.GOOD


def test_session_algorithms_are_understood() -> None:
    server = Server()
    made = proof(Challenge(REALM, server.challenge().nonce, "SHA-256-sess", ("auth",)))
    assert server.judge(made) is Proof.GOOD


def test_a_hashed_name_is_understood(server: Server) -> None:
    made = proof(server.challenge())
    hashed = ALGORITHMS["SHA-256"](f"101:{REALM}".encode())
    text = str(made).replace('username="101"', f'username="{hashed}"') + ", userhash=true"
    assert server.judge(text) is Proof.GOOD


def test_forgotten_counts_make_nonces_stale_not_usable_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("santral.sip.auth.challenger.MAX_NONCES", 2)
    made = []
    for _ in range(4):
        server.now += 0.01
        made.append(proof(server.challenge()))
        assert server.judge(made[-1]) is Proof.GOOD
    assert [server.judge(one) for one in made] == [Proof.STALE] * 4
    assert len(server.challenger._counts) == 2
    assert MAX_NONCES > 1000


@pytest.mark.parametrize("name", ["101", "nobody"])
def test_known_and_unknown_users_cost_the_same_hashes(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = proof(server.challenge(), "wrong", name)
    hashed: list[bytes] = []

    def counting(real: Callable[[bytes], str]) -> Callable[[bytes], str]:
        return lambda data: hashed.append(data) or real(data)  # type: ignore[func-returns-value]

    for algorithm, real in list(ALGORITHMS.items()):
        monkeypatch.setitem(ALGORITHMS, algorithm, counting(real))
    assert server.judge(made) is Proof.WRONG
    looked_up = f"101:{REALM}".encode()  # by the test's own directory
    assert len([one for one in hashed if one != looked_up]) == 3  # the secret nobody has, the request, the response


# -- the client --------------------------------------------------


def test_the_first_challenge_we_can_answer_is_taken() -> None:
    account = Account("u", "p")
    offered = [Challenge("r", "n", "SHA-999"), Challenge("r", "n", "SHA-256", ("auth",)), Challenge("r", "n")]
    assert account.choose(offered, ()) is offered[1]
    assert account.choose([Challenge("r", "n", "MD5", ("token",))], ()) is None


def test_only_the_pinned_realm_is_answered() -> None:
    account = Account("u", "p", "r")
    assert account.choose([Challenge("other", "n")], ()) is None
    fresh = Account("u", "p")
    fresh.answer(Challenge("first", "n"), "INVITE", "sip:a", b"", random.Random(1).randbytes)
    assert fresh.realm == "first"
    assert fresh.choose([Challenge("second", "n")], ()) is None


def test_the_same_nonce_is_not_answered_twice_and_fresh_ones_not_for_ever() -> None:
    account = Account("u", "p")
    assert account.choose([Challenge("r", "n")], (("r", "n"),)) is None
    assert account.choose([Challenge("r", "m")], (("r", "n"),)) is not None
    assert account.choose([Challenge("r", "o")], (("r", "n"), ("r", "m"))) is None
    assert account.choose([Challenge("r", "o", stale=True)], (("r", "n"), ("r", "m"))) is not None


def test_no_secret_in_what_is_printed() -> None:
    assert "hunter2" not in repr(Account("u", "hunter2"))
