"""Who may do what."""

import pytest

from santral.engine.control.access import LOCAL, Identity, Token, identify, require, tenant_for
from santral.engine.control.protocol import RequestError

READER = Identity("r", frozenset({"read"}), "acme")


def test_scopes() -> None:
    require(READER, "read")
    require(READER, None)
    require(None, None)
    for scope in ("read", "events", "calls", "admin"):
        require(LOCAL, scope)
    with pytest.raises(RequestError) as refusal:
        require(READER, "calls")
    assert refusal.value.code == "forbidden"
    with pytest.raises(RequestError) as refusal:
        require(None, "read")
    assert refusal.value.code == "login_required"


def test_tokens_are_found_by_name_and_secret() -> None:
    tokens = (Token("a", "one", frozenset({"read"}), "acme"), Token("b", "two", frozenset({"admin"})))
    assert identify(tokens, "a", "one") == Identity("a", frozenset({"read"}), "acme")
    assert identify(tokens, "b", "two") == Identity("b", frozenset({"admin"}), None)
    for name, secret in (("a", "two"), ("c", ""), ("", ""), ("a", ""), ("ü", "one")):
        assert identify(tokens, name, secret) is None


def test_a_token_belongs_to_a_tenant_or_is_admin() -> None:
    with pytest.raises(ValueError, match="needs a tenant"):
        Token("a", "s", frozenset({"read"}))
    with pytest.raises(ValueError, match="unknown scopes"):
        Token("a", "s", frozenset({"write"}), "acme")
    with pytest.raises(ValueError, match="no secret"):
        Token("a", "", frozenset({"read"}), "acme")
    assert "sesame" not in repr(Token("a", "sesame", frozenset({"read"}), "acme"))


def test_a_client_asks_for_its_own_tenant_only() -> None:
    assert tenant_for(READER, None) == "acme"
    assert tenant_for(READER, "acme") == "acme"
    assert tenant_for(LOCAL, None) is None
    assert tenant_for(LOCAL, "acme") == "acme"
    with pytest.raises(RequestError, match="belongs to"):
        tenant_for(READER, "other")
