"""Whom a request comes from, by what `spec.auth` says now; nobody is let in on a doubt."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from mcp_operator.api import catalog
from mcp_operator.api.catalog import Auth, Backend, SecretKey
from mcp_operator.core.clock import Clock, SystemClock
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.gateway.policy.apikeys import ApiKeys
from mcp_operator.gateway.policy.jwks import FixedKeys, RemoteKeys
from mcp_operator.gateway.policy.principal import ANONYMOUS, Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.policy.tokens import (
    LEEWAY_SECONDS,
    Expected,
    TokenError,
    read_header,
    verify,
)
from mcp_operator.gateway.table import Current

log = logging.getLogger(__name__)

MAX_VERIFIED: Final = 10_000
"""Tokens whose verification is remembered, in some 2 MiB; the one used longest ago goes first."""

KEYS_SECONDS: Final = 30.0
"""How long API keys are used before their Secret is asked for again."""

FetchJwks = Callable[[Backend], Awaitable[bytes]]
"""Reads what is behind an endpoint; raises an OperatorError where it cannot."""


class KeySecrets(Protocol):
    """Gives all values of a Secret."""

    async def values(self, secret: Key) -> Mapping[str, bytes]:
        """Return the values by key.

        Raises:
            OperatorError: There is no such Secret, or it may not be read.
        """
        ...

    def distrust(self, key: SecretKey) -> None:
        """Read the Secret again before its next use, unless it was read just now."""
        ...


class _Authenticator(Protocol):
    """Tells clients apart in one way."""

    async def principal(self, headers: Mapping[str, str], /) -> Principal:
        """Return whom a request comes from.

        Raises:
            Refusal: It is not let in.
        """
        ...

    async def close(self) -> None:
        """End what runs in the background."""
        ...


class Guard:
    """Authenticates requests by the settings in force."""

    def __init__(
        self,
        current: Current,
        *,
        secrets: KeySecrets | None = None,
        fetch: FetchJwks | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Set up.

        Args:
            current: Holds the settings.
            secrets: Gives the API keys; None where there are none to be had.
            fetch: Fetches the keys of identity providers; None where there are none to be had.
            clock: For the expiry of tokens.
        """
        self._current = current
        self._secrets = secrets
        self._fetch = fetch
        self._clock = clock or SystemClock()
        self._auth: Auth | None = None
        self._authenticator: _Authenticator = _Nobody()

    async def close(self) -> None:
        """End what runs in the background."""
        await self._authenticator.close()

    async def admit(self, headers: Mapping[str, str], repeated: AbstractSet[str]) -> Principal:
        """Return whom a request comes from, by the settings that hold when this returns.

        Args:
            headers: The headers of the request, names in lower case.
            repeated: Those that came more than once.

        Raises:
            Refusal: It is not let in.
        """
        while True:
            auth = self._current.server.auth
            principal = await self._principal(auth, headers, repeated)
            now = self._current.server.auth
            if now is auth or now == auth:
                return principal

    async def _principal(
        self, auth: Auth | None, headers: Mapping[str, str], repeated: AbstractSet[str]
    ) -> Principal:
        if auth is None:
            return ANONYMOUS
        if credential_header(auth) in repeated:
            raise Refusal("invalid", f"Send the header {credential_header(auth)} once")
        if auth is not self._auth and auth != self._auth:
            old, self._authenticator = self._authenticator, self._build(auth)
            self._auth = auth
            await old.close()
        return await self._authenticator.principal(headers)

    def _build(self, auth: Auth) -> _Authenticator:
        if auth.unknown:
            log.error(
                "No client is served: spec.auth has what this release does not know; run the "
                "gateway in the operator's release",
                extra={"fields": auth.unknown},
            )
            return _Nobody()
        if auth.api_keys is not None and self._secrets is not None:
            return _ByKey(auth.api_keys, self._secrets)
        if auth.jwt is not None:
            claims = frozenset(claim.name for rule in auth.rules for claim in rule.claims)
            return _ByToken(auth.jwt, claims, self._fetch, self._clock)
        return _Nobody()


def credential_header(auth: Auth) -> str:
    """Return the header that carries what clients authenticate with, in lower case."""
    return auth.api_keys.header if auth.api_keys is not None else "authorization"


def _bearer(headers: Mapping[str, str]) -> str:
    """Return the token of the header Authorization (RFC 6750 section 2.1), and of nowhere else."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal("missing", "Send `Authorization: Bearer` with a token or key of yours")
    return token.strip()


class _Nobody:
    """Lets nobody in."""

    async def principal(self, _: Mapping[str, str], /) -> Principal:
        raise Refusal("unavailable", "This server cannot tell its clients apart; see its log")

    async def close(self) -> None:
        """Do nothing."""


class _ByKey:
    """Lets in who sends an API key of a Secret."""

    def __init__(self, settings: catalog.ApiKeys, secrets: KeySecrets) -> None:
        self._header = settings.header
        self._secret = Key(settings.namespace, settings.name)
        self._any_key = SecretKey(namespace=settings.namespace, name=settings.name, key="")
        self._secrets = secrets
        self._values: Mapping[str, bytes] = {}
        self._keys = ApiKeys({})
        self._fresh_until = 0.0

    async def principal(self, headers: Mapping[str, str]) -> Principal:
        presented = self._presented(headers)
        if asyncio.get_running_loop().time() >= self._fresh_until:
            await self._read()
        found = self._keys.find(presented)
        if found is None:  # it may have been added since the Secret was read
            await self._read()
            found = self._keys.find(presented)
        if found is None:
            raise Refusal("invalid", "The API key is not known")
        return found

    def _presented(self, headers: Mapping[str, str]) -> str:
        if self._header == "authorization":
            return _bearer(headers)
        value = headers.get(self._header, "").strip()
        if not value:
            raise Refusal("missing", f"Send an API key in the header {self._header}")
        return value

    async def _read(self) -> None:
        self._secrets.distrust(self._any_key)
        try:
            values = await self._secrets.values(self._secret)
        except OperatorError as error:
            log.debug("API keys cannot be read", extra={"error": str(error)})
            self._values, self._keys, self._fresh_until = {}, ApiKeys({}), 0.0
            raise Refusal(
                "unavailable", "API keys cannot be verified now; this server's log says why"
            ) from None
        self._fresh_until = asyncio.get_running_loop().time() + KEYS_SECONDS
        if values != self._values:
            self._values, self._keys = values, ApiKeys(values)

    async def close(self) -> None:
        """Do nothing."""


class _ByToken:
    """Lets in who sends an access token for this server; verifies each once."""

    def __init__(
        self,
        settings: catalog.Jwt,
        claims: frozenset[str],
        fetch: FetchJwks | None,
        clock: Clock,
    ) -> None:
        self._expected = Expected(
            settings.issuer, frozenset(settings.audiences), settings.user_claim, claims
        )
        self._required = frozenset(settings.required_scopes)
        self._clock = clock
        self._keys: RemoteKeys | FixedKeys
        if settings.endpoint is not None and fetch is not None:
            endpoint = settings.endpoint
            self._keys = RemoteKeys(lambda: fetch(endpoint))
        else:
            self._keys = FixedKeys((settings.keys or {}).get("keys"))
        self._verified_by = self._keys.keys
        self._verified: OrderedDict[bytes, Principal] = OrderedDict()

    async def principal(self, headers: Mapping[str, str]) -> Principal:
        token = _bearer(headers)
        name = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = self._known(name)
        if found is None:
            found = await self._verify(token)
            self._remember(name, found)
        if not self._required <= found.scopes:
            raise Refusal("forbidden", "The token lacks a scope that this server requires")
        return found

    def _known(self, name: bytes) -> Principal | None:
        self._keys.refresh()
        self._follow_keys()
        found = self._verified.get(name)
        if found is None:
            return None
        if (found.expires or 0.0) + LEEWAY_SECONDS <= self._now():
            del self._verified[name]
            return None
        self._verified.move_to_end(name)
        return found

    def _follow_keys(self) -> None:
        """Forget what was verified by keys that were replaced: one may have been withdrawn."""
        if self._keys.keys is not self._verified_by:
            self._verified.clear()
            self._verified_by = self._keys.keys

    def _remember(self, name: bytes, principal: Principal) -> None:
        self._follow_keys()
        self._verified[name] = principal
        if len(self._verified) > MAX_VERIFIED:
            self._verified.popitem(last=False)

    async def _verify(self, token: str) -> Principal:
        try:
            header = read_header(token)
            key = await self._keys.find(header)
            return verify(token, key, self._expected, self._now())
        except TokenError as error:
            raise Refusal("invalid", f"Not accepted: {error}") from None

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def close(self) -> None:
        await self._keys.close()
