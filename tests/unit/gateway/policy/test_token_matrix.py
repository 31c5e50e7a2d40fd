"""A matrix of invalid tokens, sent to a whole endpoint: none is accepted."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import math
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.entries import tool
from support.identity import (
    AUDIENCE,
    CLAIMS,
    ISSUER,
    NOW,
    MovedClock,
    by_token,
    ec_key,
    ed_key,
    encoded,
    jwk,
    provider_keys,
    rsa_key,
    token,
)
from support.mcp_http import Server, modern

CALL = {"name": "search", "arguments": {}}
FAR = 10**6
HEADER = {"alg": "RS256", "kid": "rsa", "typ": "at+jwt"}


def parts(text: str) -> tuple[str, str, str]:
    head, payload, signature = text.split(".")
    return head, payload, signature


def raw(header: Any, claims: Any = CLAIMS, key: Any = None) -> str:
    """Sign any header and any claims with RS256."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    signer = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
    return f"{signed}.{encoded(signer.sign(signed.encode(), key or rsa_key()))}"


def unsigned(algorithm: str, signature: str = "") -> str:
    return f"{encoded(HEADER | {'alg': algorithm})}.{encoded(CLAIMS)}.{signature}"


def hmac_by_public_key(form: serialization.PublicFormat, end: bytes = b"") -> str:
    """Sign with the public key as if it were a shared secret (RFC 8725 section 2.1)."""
    secret = rsa_key().public_key().public_bytes(serialization.Encoding.PEM, form)
    signed = f"{encoded(HEADER | {'alg': 'HS256'})}.{encoded(CLAIMS)}"
    return f"{signed}.{encoded(hmac.digest(secret.rstrip() + end, signed.encode(), 'sha256'))}"


def hmac_by_modulus() -> str:
    modulus = provider_keys()[0]["n"].encode()
    signed = f"{encoded(HEADER | {'alg': 'HS256'})}.{encoded(CLAIMS)}"
    return f"{signed}.{encoded(hmac.digest(modulus, signed.encode(), 'sha256'))}"


def changed_payload() -> str:
    head, _, signature = parts(token())
    return f"{head}.{encoded(CLAIMS | {'sub': 'root'})}.{signature}"


def changed_signature() -> str:
    head, payload, signature = parts(token())
    return f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def zero_signature() -> str:
    head, payload, _ = parts(token(ec_key(), "ES256", "ec"))
    return f"{head}.{payload}.{encoded(bytes(64))}"


def embedded_key() -> str:
    mine = rsa_key("mine")
    return token(mine, headers={"jwk": jwk(mine, "rsa")})


MATRIX: dict[str, Callable[[], str]] = {
    # algorithms
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg NONE with a signature": lambda: unsigned("NONE", parts(token())[2]),
    "alg none without the last dot": lambda: unsigned("none").rstrip("."),
    "no alg": lambda: raw({"kid": "rsa", "typ": "at+jwt"}),
    "alg is a list": lambda: raw(HEADER | {"alg": ["RS256"]}),
    "alg is null": lambda: raw(HEADER | {"alg": None}),
    "HS256 with the public key, SPKI": lambda: hmac_by_public_key(
        serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "HS256 with the public key, SPKI with a line break": lambda: hmac_by_public_key(
        serialization.PublicFormat.SubjectPublicKeyInfo, b"\n"
    ),
    "HS256 with the public key, PKCS1": lambda: hmac_by_public_key(
        serialization.PublicFormat.PKCS1
    ),
    "HS256 with the modulus": hmac_by_modulus,
    "HS256 with a guessed secret": lambda: token("secret" * 8, "HS256"),
    "an alg that the key is not for": lambda: token(rsa_key(), "RS256", "ec"),
    "an EC token with the kid of the RSA key": lambda: token(ec_key(), "ES256", "rsa"),
    "ES384 with the kid of the P-256 key": lambda: token(
        ec_key("p384", ec.SECP384R1), "ES384", "ec"
    ),
    "an unknown alg": lambda: raw(HEADER | {"alg": "RS1"}),
    # keys
    "an unknown kid": lambda: token(kid="other"),
    "no kid with several keys": lambda: token(kid=None),
    "a kid that is a number": lambda: raw(HEADER | {"kid": 1}),
    "a kid that is a list": lambda: raw(HEADER | {"kid": ["rsa"]}),
    "a kid that is a path": lambda: token(kid="../../../../dev/null"),
    "a kid that is SQL": lambda: token(kid="rsa' OR '1'='1"),
    "another issuer's key with our kid": lambda: token(rsa_key("mine")),
    "another EC key with our kid": lambda: token(ec_key("mine"), "ES256", "ec"),
    "another Ed25519 key with our kid": lambda: token(ed_key("mine"), "EdDSA", "ed"),
    "a key in the token": embedded_key,
    "a key at a URL of the token": lambda: token(
        rsa_key("mine"), headers={"jku": "https://evil.example/jwks"}
    ),
    "a certificate at a URL of the token": lambda: token(
        rsa_key("mine"), headers={"x5u": "https://evil.example/cert"}
    ),
    # signatures
    "no signature": lambda: ".".join([*parts(token())[:2], ""]),
    "two parts": lambda: ".".join(parts(token())[:2]),
    "four parts": lambda: token() + ".AAAA",
    "five parts, as encrypted ones have": lambda: token() + ".AAAA.AAAA",
    "another payload": changed_payload,
    "another signature": changed_signature,
    "the signature of another token": lambda: ".".join(
        [*parts(token())[:2], parts(token(sub="bob"))[2]]
    ),
    "a signature cut short": lambda: token()[:-8],
    "an EC signature of zeros": zero_signature,
    "padding in the signature": lambda: token() + "==",
    "a line break in the token": lambda: token().replace(".", ".\n", 1),
    # headers
    "typ of an ID token's logout": lambda: token(headers={"typ": "logout+jwt"}),
    "typ of a DPoP proof": lambda: token(headers={"typ": "dpop+jwt"}),
    "typ that is not text": lambda: raw(HEADER | {"typ": 1}),
    "typ that is empty": lambda: raw(HEADER | {"typ": ""}),
    "an unknown critical header": lambda: raw(HEADER | {"crit": ["exp2"], "exp2": 1}),
    "an empty list of critical headers": lambda: raw(HEADER | {"crit": []}),
    "a payload that is not encoded": lambda: raw(HEADER | {"b64": False, "crit": ["b64"]}),
    "a payload that is compressed": lambda: raw(HEADER | {"zip": "DEF"}),
    "a header that is a list": lambda: raw([HEADER]),
    "a header that is not JSON": lambda: f"{encoded(b'{alg}')}.{encoded(CLAIMS)}.AAAA",
    "a deeply nested header": lambda: f"{encoded(b'[' * 9000)}.{encoded(CLAIMS)}.AAAA",
    # claims
    "claims that are a list": lambda: raw(HEADER, [CLAIMS]),
    "claims that are not JSON": lambda: raw(HEADER, b"sub=alice"),
    "no iss": lambda: token(iss=None),
    "another iss": lambda: token(iss="https://evil.example"),
    "iss with an additional slash": lambda: token(iss=ISSUER + "/"),
    "iss in upper case": lambda: token(iss=ISSUER.upper()),
    "iss that is a list": lambda: token(iss=[ISSUER]),
    "no aud": lambda: token(aud=None),
    "another aud": lambda: token(aud="https://mcp.example.com/other"),
    "aud that starts with ours": lambda: token(aud=AUDIENCE + "/admin"),
    "aud that is a prefix of ours": lambda: token(aud=AUDIENCE[:-1]),
    "a list of other aud": lambda: token(aud=["a", "b"]),
    "an empty list of aud": lambda: token(aud=[]),
    "aud that is an object": lambda: token(aud={AUDIENCE: True}),
    "aud in a list in a list": lambda: token(aud=[[AUDIENCE]]),
    "no exp": lambda: token(exp=None),
    "expired": lambda: token(exp=NOW - 31),
    "expired long ago": lambda: token(exp=NOW - FAR),
    "exp in milliseconds before now": lambda: token(exp=-(NOW * 1000)),
    "exp that is text": lambda: token(exp=str(NOW + 300)),
    "exp that is true": lambda: token(exp=True),
    "exp that is infinite": lambda: token(exp=math.inf),
    "exp that is not a number": lambda: token(exp=math.nan),
    "exp below the range of floats": lambda: token(exp=-(10**400)),
    "iat above the range of floats": lambda: token(iat=10**400),
    "exp that is a list": lambda: token(exp=[NOW + 300]),
    "nbf in the future": lambda: token(nbf=NOW + 31),
    "nbf that is text": lambda: token(nbf="now"),
    "iat in the future": lambda: token(iat=NOW + 31),
    "iat that is infinite": lambda: token(iat=-math.inf),
    "no sub": lambda: token(sub=None),
    "an empty sub": lambda: token(sub=""),
    "sub that is a number": lambda: token(sub=7),
    "sub with a line break": lambda: token(sub="alice\nbob"),
    "sub that is long": lambda: token(sub="a" * 300),
    "bound to a key of the client": lambda: token(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2Hg"}),
    # sizes
    "a long token": lambda: token(filler="a" * 20_000),
    "a word": lambda: "letmein",
    "dots": lambda: "..",
}


def server(audit: str = "Off", **fields: Any) -> Server:
    return Server(tool("search"), clock=MovedClock(), auth=by_token(**fields), audit=audit)


@pytest.mark.parametrize("case", MATRIX)
async def test_an_invalid_token_gets_401_and_is_not_logged(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shop = server(audit="All")
    wrong = MATRIX[case]()

    answer = await shop.respond(modern("tools/call", CALL, authorization=f"Bearer {wrong}"))

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert shop.executor.calls == []
    assert json.loads(answer.body)["error"]["code"] == -31000
    told = caplog.text + answer.body.decode() + str(answer.headers)
    assert [part for part in wrong.split(".") if len(part) > 8 and part in told] == []


def test_the_matrix_has_at_least_80_different_tokens() -> None:
    assert len(MATRIX) >= 80
    made = {hashlib.sha256(make().encode()).digest() for make in MATRIX.values()}
    assert len(made) == len(MATRIX)


@pytest.mark.parametrize(
    "make",
    [
        token,
        lambda: token(algorithm="PS256"),
        lambda: token(algorithm="RS512"),
        lambda: token(ec_key(), "ES256", "ec"),
        lambda: token(ed_key(), "EdDSA", "ed"),
        lambda: token(ec_key("p384", ec.SECP384R1), "ES384", "p384"),
        lambda: token(headers={"typ": "JWT"}),
        lambda: token(headers={"typ": "application/at+jwt"}),
        lambda: raw({"alg": "RS256", "kid": "rsa"}),
        lambda: token(aud=["https://other.example", AUDIENCE]),
        lambda: token(exp=NOW - 29),
        lambda: token(exp=NOW + 0.5),
        lambda: token(nbf=NOW + 29, iat=NOW + 29),
        lambda: token(iat=None, scope=None),
        lambda: token(exp=10**20),
        lambda: token(exp=10**400, iat=-(10**400)),
    ],
)
async def test_a_valid_token_is_accepted(make: Callable[[], str]) -> None:
    shop = server()

    await shop.result(modern("tools/call", CALL, authorization=f"Bearer {make()}"))

    assert shop.observer.authentications == ["ok"]


@pytest.mark.parametrize("place", ["cookie", "x-access-token", "proxy-authorization"])
async def test_a_token_in_another_header_is_ignored(place: str) -> None:
    shop = server()
    request = modern("tools/call", CALL, **{place: f"Bearer {token()}"})

    answer = await shop.respond(request)

    assert answer.status == 401
    assert "error=" not in answer.headers["www-authenticate"]


async def test_a_token_signed_by_a_key_that_is_too_short_is_refused() -> None:
    short = rsa_key("short", 1024)
    shop = server(keys={"keys": [jwk(short, "short"), jwk(rsa_key(), "rsa")]})
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        weak = token(short, kid="short")

    assert (await shop.respond(modern("tools/list", authorization=f"Bearer {weak}"))).status == 401
    await shop.result(modern("tools/list", authorization=f"Bearer {token()}"))


@pytest.mark.parametrize(
    "odd",
    [
        {"kty": "oct", "kid": "odd", "k": "c2VjcmV0c2VjcmV0c2VjcmV0"},
        {"kty": "RSA", "kid": "odd"},
        {"kty": "RSA", "kid": "odd", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "kid": "odd", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "OKP", "kid": "odd", "crv": "X25519", "x": "AA"},
        {"kty": "RSA", "kid": 7, "n": 7, "e": []},
    ],
)
async def test_an_unusable_key_is_skipped_and_the_others_are_used(odd: dict[str, Any]) -> None:
    shop = server(keys={"keys": [odd, jwk(rsa_key(), "rsa")]})

    await shop.result(modern("tools/list", authorization=f"Bearer {token()}"))


async def test_a_key_verifies_only_tokens_of_its_own_alg() -> None:
    shop = server(keys={"keys": [jwk(rsa_key(), "rsa", alg="RS256")]})

    async def status(algorithm: str) -> int:
        request = modern("tools/list", authorization=f"Bearer {token(algorithm=algorithm)}")
        return (await shop.respond(request)).status

    assert [await status(each) for each in ("RS256", "RS512", "PS256")] == [200, 401, 401]


async def test_a_single_key_needs_no_kid() -> None:
    shop = server(keys={"keys": [jwk(rsa_key(), "rsa")]})

    await shop.result(modern("tools/list", authorization=f"Bearer {token(kid=None)}"))
