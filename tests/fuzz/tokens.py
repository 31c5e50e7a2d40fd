"""Authentication of clients: tokens, key sets, headers and challenges."""

from __future__ import annotations

import base64
import functools
import json
import re

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fuzz.feed import Feed
from mcp_operator.api.catalog import Auth
from mcp_operator.api.jwks import MAX_KEYS, KeySetError, public_keys
from mcp_operator.gateway.policy.challenge import base_url, challenge_headers
from mcp_operator.gateway.policy.refusal import Refusal, Why
from mcp_operator.gateway.policy.sources import bearer
from mcp_operator.gateway.policy.tokens import (
    Expected,
    KeySet,
    TokenError,
    read_header,
    verify,
)
from support.identity import (
    AUDIENCE,
    ISSUER,
    NOW,
    by_token,
    ec_key,
    ed_key,
    encoded,
    jwk,
    rsa_key,
    token,
)

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
"""Members of private and symmetric keys (RFC 7518 section 6)."""

MEMBERS = ("kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "d", "k")
PUBLIC = (RSAPublicKey, EllipticCurvePublicKey, Ed25519PublicKey)
EXPECTED = Expected(ISSUER, frozenset({AUDIENCE}), claims=frozenset({"groups", "a.b"}))
CHALLENGE = re.compile(r'Bearer [a-z_]+="[\x20\x21\x23-\x7e]*"(, [a-z_]+="[\x20\x21\x23-\x7e]*")*')
REASONS: tuple[Why, ...] = ("missing", "invalid", "forbidden")


@functools.cache
def signed() -> tuple[str, ...]:
    """Return valid and invalid tokens of the issuer, for each kind of key."""
    ed, curve = ed_key(), ec_key()
    return (
        token(ed, "EdDSA", "ed"),
        token(curve, "ES256", "ec"),
        token(ed, "EdDSA", "ed", groups=["a", 1], a={"b": "c"}),
        token(ed, "EdDSA", "ed", exp=NOW - 1000),
        token(ed, "EdDSA", "ed", aud="other"),
        token(ed, "EdDSA", "ed", sub="\x00"),
    )


@functools.cache
def keys() -> KeySet:
    return KeySet([jwk(ed_key(), "ed"), jwk(ec_key(), "ec", alg="ES256")])


def check(data: bytes) -> None:
    """Check a credential, a header, a challenge and published keys."""
    feed = Feed(data)
    _check_token(_token(feed))
    _check_header(feed.text())
    _check_challenge(feed)
    _check_keys(_published(feed))


def _token(feed: Feed) -> str:
    """Return a mixture of parts of valid tokens, any JSON, and any bytes."""
    good = [part for each in signed() for part in each.split(".")]
    parts = []
    for place in range(3):
        match feed.byte() % 5:
            case 0:
                parts.append(feed.pick(signed()).split(".")[place])
            case 1:
                parts.append(feed.pick(good))
            case 2:
                parts.append(encoded(feed.value()))
            case 3:
                parts.append(encoded(feed.chunk()))
            case _:
                parts.append(feed.text())
    return ".".join(parts) + ("" if feed.byte() % 2 else feed.text())


@functools.cache
def published() -> tuple[dict[str, object], ...]:
    """Return keys of each kind, including those that must not be published."""
    ed, curve, rsa_public = jwk(ed_key(), "ed"), jwk(ec_key(), "ec"), jwk(rsa_key(), "rsa")
    return (ed, curve, rsa_public, {**ed, "d": "AAAA"}, {"kty": "oct", "k": "AAAA", "kid": "ed"})


def _published(feed: Feed) -> bytes:
    """Return any bytes, or a key set with some changed members."""
    if feed.byte() % 2:
        return feed.rest()
    keys = [dict(feed.pick(published())) for _ in range(feed.byte() % 4)]
    for key in keys:
        key |= {name: json.loads(json.dumps(feed.value())) for name in feed.some(MEMBERS)}
    return json.dumps({"keys": keys}).encode()


def _check_token(text: str) -> None:
    try:
        header = read_header(text)
        principal = verify(text, keys().find(header), EXPECTED, NOW)
    except TokenError as error:
        assert len(text) < 20 or text not in str(error)
        return
    head, payload, signature = text.split(".")
    assert f"{head}.{payload}" in {each.rpartition(".")[0] for each in signed()}
    assert principal.name == "alice"
    assert principal.issuer == ISSUER
    assert base64.urlsafe_b64decode(signature + "==")


def _check_header(value: str) -> None:
    try:
        found = bearer({"authorization": value})
    except Refusal as refusal:
        assert refusal.why == "missing"
        return
    assert found
    assert found in value


def _check_challenge(feed: Feed) -> None:
    """Parts of a request in WWW-Authenticate must not break out of their place."""
    base = base_url(feed.pick(("http", "https")), feed.text())
    refusal = Refusal(feed.pick(REASONS), "The token lacks a scope")
    headers = challenge_headers(by_token_cached(), refusal, "/mcp", base)
    (value,) = headers.values()
    assert value == "Bearer " or CHALLENGE.fullmatch(value), value


@functools.cache
def by_token_cached() -> Auth:
    return by_token(keys={"keys": [jwk(ed_key(), "ed")]})


def _check_keys(data: bytes) -> None:
    try:
        found = public_keys(data)
    except KeySetError:
        return
    assert 0 < len(found) <= MAX_KEYS
    for each in found:
        assert not PRIVATE & each.keys()
        assert each["kty"] != "oct"
        json.dumps(each)
    try:
        key_set = KeySet(found)
    except KeySetError:
        return
    for key in key_set._keys:
        assert isinstance(key.key, PUBLIC)
        assert not isinstance(
            key.key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
        )
        assert not any(name.startswith("HS") or name == "none" for name in key.algorithms)
