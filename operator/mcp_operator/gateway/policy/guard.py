"""Authenticates requests according to the current `spec.auth`. In doubt, it refuses them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from mcp_operator.api.catalog import Auth
from mcp_operator.core.clock import Clock, SystemClock
from mcp_operator.gateway.policy.by_key import ByKey
from mcp_operator.gateway.policy.principal import ANONYMOUS, Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.policy.sources import FetchJwks, KeySecrets
from mcp_operator.gateway.table import Current

log = logging.getLogger(__name__)


class _Authenticator(Protocol):
    """Authenticates clients in one way."""

    async def principal(self, headers: Mapping[str, str], address: str, /) -> Principal:
        """Return the client that sent a request.

        Raises:
            Refusal: The client is refused.
        """
        ...

    async def close(self) -> None:
        """Stop background work."""
        ...


class Guard:
    """Authenticates requests with the current settings."""

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
            secrets: Provides the API keys; None if API keys cannot be read.
            fetch: Fetches the keys of identity providers; None if keys cannot be fetched.
            clock: For the expiry of tokens.
        """
        self._current = current
        self._secrets = secrets
        self._fetch = fetch
        self._clock = clock or SystemClock()
        self._auth: Auth | None = None
        self._authenticator: _Authenticator = _Nobody()

    async def close(self) -> None:
        """Stop background work."""
        await self._authenticator.close()

    async def admit(
        self, headers: Mapping[str, str], repeated: AbstractSet[str], address: str = ""
    ) -> Principal:
        """Return the client that sent a request, by the settings in force when this returns.

        Args:
            headers: The headers of the request, with names in lower case.
            repeated: The names of headers that were sent more than once.
            address: The key of the client's address, for limits before it is authenticated.

        Raises:
            Refusal: The client is refused.
        """
        while True:
            auth = self._current.server.auth
            if auth is None:
                return ANONYMOUS
            principal = await self._principal(auth, headers, repeated, address)
            now = self._current.server.auth
            if now is auth or now == auth:
                return principal

    async def _principal(
        self,
        auth: Auth,
        headers: Mapping[str, str],
        repeated: AbstractSet[str],
        address: str,
    ) -> Principal:
        if credential_header(auth) in repeated:
            raise Refusal("invalid", f"Send the header {credential_header(auth)} only once")
        if auth is not self._auth and auth == self._auth:
            self._auth = auth
        if auth is not self._auth:
            old, new = self._authenticator, self._build(auth)
            self._auth, self._authenticator = auth, new  # after `_build`, which can fail
            await old.close()
            return await new.principal(headers, address)
        return await self._authenticator.principal(headers, address)

    def _build(self, auth: Auth) -> _Authenticator:
        if auth.unknown:
            log.error(
                "No client is served: spec.auth has fields that this release of the gateway "
                "does not support. Use the release of the operator",
                extra={"fields": auth.unknown},
            )
            return _Nobody()
        if auth.api_keys is not None and self._secrets is not None:
            return ByKey(auth.api_keys, self._secrets)
        if auth.jwt is not None:
            # Imported only here: cryptography takes 9 MB of memory.
            from mcp_operator.gateway.policy.by_token import ByToken  # noqa: PLC0415

            return ByToken(auth.jwt, auth.rules, self._fetch, self._clock)
        return _Nobody()


def credential_header(auth: Auth) -> str:
    """Return the header that carries the credentials of clients, in lower case."""
    return auth.api_keys.header if auth.api_keys is not None else "authorization"


class _Nobody:
    """Refuses every client."""

    async def principal(self, _: Mapping[str, str], _address: str, /) -> Principal:
        raise Refusal("unavailable", "This server cannot authenticate clients. Its log says why")

    async def close(self) -> None:
        """Do nothing."""
