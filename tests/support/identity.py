"""An identity provider for tests: keys, tokens, and the settings of servers that use it."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from mcp_operator.api.catalog import ApiKeys, Auth, Backend, JsonObject, Jwt, SecretKey
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key

ISSUER = "https://login.example.com/realms/shop"
AUDIENCE = "https://mcp.example.com/shop"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = int(NOON.timestamp())
JWKS = Backend(scheme="https", host="login.example.com", port=443, path="/certs", external=True)
API_KEYS = Auth(api_keys=ApiKeys(header="x-api-key", namespace="demo", name="clients"))

CLAIMS: JsonObject = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "alice",
    "iat": NOW - 10,
    "exp": NOW + 300,
    "scope": "mcp:use mcp:read",
}


class MovedClock:
    """A clock that starts at noon, and that a test can move forward."""

    def __init__(self) -> None:
        self.moment = NOON

    def now(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@functools.cache
def rsa_key(name: str = "rsa", bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the key with a name; it is cached, because generating a key takes long."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ec_key(name: str = "ec", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> Any:
    return ec.generate_private_key(curve())


@functools.cache
def ed_key(name: str = "ed") -> Any:
    return ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str, **members: Any) -> JsonObject:
    """Return the public JWK of a private key."""
    algorithms: dict[type, Any] = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
    }
    (algorithm,) = [each for kind, each in algorithms.items() if isinstance(key, kind)]
    public: JsonObject = algorithm.to_jwk(key.public_key(), as_dict=True)
    public.pop("key_ops", None)
    return public | {"kid": kid} | members


def provider_keys() -> list[JsonObject]:
    """Return the keys that the provider publishes."""
    return [
        jwk(rsa_key(), "rsa", use="sig"),
        jwk(ec_key(), "ec", alg="ES256", use="sig"),
        jwk(ed_key(), "ed"),
        jwk(ec_key("p384", ec.SECP384R1), "p384"),
    ]


def token(
    key: Any = None,
    algorithm: str = "RS256",
    kid: str | None = "rsa",
    headers: Mapping[str, Any] | None = None,
    **claims: Any,
) -> str:
    """Return a signed token; claims that are None are left out."""
    merged = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    head = {"kid": kid, "typ": "at+jwt", **(headers or {})}
    head = {name: value for name, value in head.items() if value is not None}
    signer = jwt.PyJWS()
    payload = json.dumps(merged).encode()
    return signer.encode(payload, key or rsa_key(), algorithm, headers=head)


def encoded(value: Any) -> str:
    """Return bytes, or the JSON of a value, as base64url."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_token(**fields: Any) -> Auth:
    """Return `auth` for the tokens of this provider, by default with its keys."""
    given = {"keys": {"keys": provider_keys()}} if "endpoint" not in fields else {}
    defaults: dict[str, Any] = {"issuer": ISSUER, "audiences": (AUDIENCE,)}
    return Auth(jwt=Jwt(**defaults | {"authorization_servers": (ISSUER,)} | given | fields))


class UnreachableError(OperatorError):
    """A test made this unreachable."""


@dataclass
class Provider:
    """The JWKS endpoint of the provider.

    Attributes:
        keys: The published keys; None while it cannot be reached.
        fetched: How often keys were fetched.
        answer: A response to return instead of keys, or None.
    """

    keys: list[JsonObject] | None
    fetched: int = 0
    answer: bytes | None = None

    async def __call__(self, endpoint: Backend) -> bytes:
        assert endpoint == JWKS
        self.fetched += 1
        if self.answer is not None:
            return self.answer
        if self.keys is None:
            raise UnreachableError("the provider cannot be reached")
        return json.dumps({"keys": self.keys}).encode()


class Clients:
    """The Secret `demo/clients`, and others of `demo`.

    Attributes:
        keys: Its values; None if it does not exist.
        others: The values of other Secrets, by name.
        reads: How often it was read.
        distrusted: How often it was reported as out of date.
    """

    def __init__(self, **keys: str) -> None:
        self.keys: dict[str, str] | None = keys
        self.others: dict[str, dict[str, str]] = {}
        self.reads = 0
        self.distrusted = 0

    async def values(self, secret: Key) -> Mapping[str, bytes]:
        assert secret.namespace == "demo"
        self.reads += 1
        keys = self.keys if secret.name == "clients" else self.others.get(secret.name)
        if keys is None:
            raise UnreachableError(f"Secret {secret} does not exist")
        return {name: key.encode() for name, key in keys.items()}

    def distrust(self, key: SecretKey) -> None:
        assert key.namespace == "demo"
        self.distrusted += 1
