"""Access tokens: JWTs (RFC 7519), verified as RFC 8725 and RFC 9068 require. No I/O.

The key determines the algorithm, never the token: a public key never verifies an HMAC, and `none`
is never accepted. PyJWT only verifies the signature; this module checks all claims.
"""

from __future__ import annotations

import binascii
import json
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mcp_operator.api.jwks import NoKeysError
from mcp_operator.gateway.policy.principal import Principal

LEEWAY_SECONDS: Final = 30.0
"""Tolerated difference between the clocks of the issuer and of this machine."""

MAX_BYTES: Final = 16 * 1024
"""Maximum bytes of a token."""

MAX_NAME: Final = 256
"""Maximum characters of a client's name."""

TYPES: Final = frozenset({"at+jwt", "application/at+jwt", "jwt"})
"""From RFC 9068 section 2.1, and the value that many providers use instead. Tokens of other types,
such as `logout+jwt`, have other purposes."""

RSA_BITS: Final = range(2048, 8193)
"""RFC 7518 section 3.3 sets the minimum; longer keys make each verification too expensive."""

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_JWS: Final = jwt.PyJWS()


class TokenError(Exception):
    """A token is not accepted; the message quotes nothing from it."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the algorithms that it verifies."""

    id: str
    key: Any
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the claims of a token must contain, and which claims are kept."""

    issuer: str
    audiences: frozenset[str]
    user_claim: str = "sub"
    claims: frozenset[str] = frozenset()
    """Claims that rules match."""
    looked_at: frozenset[str] | None = frozenset()
    """Claims that conditions read, kept with any JSON value; None for all claims."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says about its key, not verified."""

    algorithm: str
    key_id: str | None


class KeySet:
    """Public keys, from JWKs."""

    def __init__(self, jwks: Iterable[Mapping[str, Any]]) -> None:
        """Take the keys that can verify signatures, and skip the others.

        Raises:
            NoKeysError: None of the keys can.
        """
        self._keys = [key for key in map(_verification_key, jwks) if key is not None]
        if not self._keys:
            raise NoKeysError("none of its keys can be used")

    def find(self, header: Header) -> VerificationKey | None:
        """Return the key that a token names, or the only key if the token names none."""
        if header.key_id is None:
            fitting = self._keys if len(self._keys) == 1 else []
        else:
            fitting = [key for key in self._keys if key.id == header.key_id]
        return next((key for key in fitting if header.algorithm in key.algorithms), None)


def read_header(token: str) -> Header:
    """Return what a token says about its key.

    Raises:
        TokenError: It is not a signed JWT, or its form is not accepted.
    """
    if len(token) > MAX_BYTES:
        raise TokenError("the token is too long")
    if not _TOKEN.fullmatch(token):
        raise TokenError("the token is not a signed JWT")
    try:
        part = token.partition(".")[0]
        header = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise TokenError("the token is not a signed JWT") from None
    if not isinstance(header, dict):
        raise TokenError("the token is not a signed JWT")
    kind, algorithm, key_id = header.get("typ", "JWT"), header.get("alg"), header.get("kid")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise TokenError("the token is not an access token (its typ)")
    if "crit" in header or "b64" in header or "zip" in header:
        raise TokenError(
            "the token requires an extension that this server does not support "
            "(its crit, b64 or zip)"
        )
    if not isinstance(algorithm, str) or not (key_id is None or isinstance(key_id, str)):
        raise TokenError("the token is not a signed JWT")
    return Header(algorithm, key_id)


def verify(token: str, key: VerificationKey | None, expected: Expected, now: float) -> Principal:
    """Return the client that a token identifies.

    Args:
        token: The token, whose header `read_header` has accepted.
        key: The key that its header names, or None.
        expected: What its claims must contain.
        now: The time, in Unix seconds.

    Raises:
        TokenError: Its signature or a claim is wrong.
    """
    if key is None:
        raise TokenError(
            "the token does not name a key of its issuer, or has another alg than that key"
        )
    try:
        claims = json.loads(_JWS.decode(token, key.key, algorithms=sorted(key.algorithms)))
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenError("the signature of the token is not valid") from None
    if not isinstance(claims, dict):
        raise TokenError("the token has no claims")
    if claims.get("iss") != expected.issuer:
        raise TokenError("the token is from another issuer (its iss)")
    if not expected.audiences & _audiences(claims.get("aud")):
        raise TokenError("the token is for another server (its aud)")
    expires = _check_times(claims, now)
    if "cnf" in claims:
        raise TokenError(
            "the token is bound to a key of its owner, which is not supported (its cnf)"
        )
    name = claims.get(expected.user_claim)
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise TokenError("the token does not name a client")
    wanted = frozenset((each, value) for each in expected.claims for value in _values(claims, each))
    kept = _kept(claims, expected.looked_at)
    return Principal(name, expected.issuer, _scopes(claims), wanted, expires, kept)


def _kept(claims: Mapping[str, Any], wanted: frozenset[str] | None) -> str:
    """Return the wanted claims as JSON; empty if the token has none of them."""
    kept = {name: claims[name] for name in claims if wanted is None or name in wanted}
    return json.dumps(kept, sort_keys=True) if kept else ""


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    """Check `exp`, `nbf` and `iat`; return when the token expires."""
    expires = _time(claims, "exp")
    if expires is None:
        raise TokenError("the token does not say when it expires (its exp)")
    if expires + LEEWAY_SECONDS <= now:
        raise TokenError("the token has expired")
    for claim in ("nbf", "iat"):
        begins = _time(claims, claim)
        if begins is not None and begins - LEEWAY_SECONDS > now:
            raise TokenError("the token is not valid yet")
    return expires


def _time(claims: Mapping[str, Any], claim: str) -> float | None:
    """Return a NumericDate, or None if the claim is missing."""
    if claim not in claims:
        return None
    value = claims[claim]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError("a time in the token is not a number")
    if not -math.inf < value < math.inf:  # `math.isfinite` fails for integers too large for a float
        raise TokenError("a time in the token is not a number")
    return float(max(-(2**53), min(value, 2**53)))


def _audiences(value: Any) -> frozenset[str]:
    found = value if isinstance(value, list) else [value]
    return frozenset(each for each in found if isinstance(each, str))


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes of `scope` (RFC 9068), or of `scp`, which some providers use."""
    value = claims.get("scope", claims.get("scp", ""))
    found = value if isinstance(value, list) else str(value).split(" ")
    return frozenset(each for each in found if isinstance(each, str) and each)


def _values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return the strings in a claim, which is a string or a list.

    A name with dots that is not itself a claim is a path to a nested claim (`realm_access.roles`).
    """
    value: Any = claims
    for part in (name,) if name in claims else name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    found = value if isinstance(value, list) else [value]
    return frozenset(each for each in found if isinstance(each, str))


def _verification_key(jwk: Mapping[str, Any]) -> VerificationKey | None:
    try:
        key = jwt.PyJWK({name: value for name, value in jwk.items() if name != "alg"}).key
    except Exception:  # noqa: BLE001 - skip any invalid key, but keep the others
        return None
    algorithms = frozenset(_algorithms(key))
    if "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    identifier = jwk.get("kid", "")
    if not algorithms or not isinstance(identifier, str):
        return None
    return VerificationKey(identifier, key, algorithms)


def _algorithms(key: Any) -> tuple[str, ...]:
    match key:
        case RSAPublicKey() if key.key_size in RSA_BITS:
            return _RSA
        case EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return (_CURVES[key.curve.name],)
        case Ed25519PublicKey():
            return ("EdDSA",)
        case _:
            return ()
