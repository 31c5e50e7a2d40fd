"""Whom a request comes from, by what `spec.auth` says now; nobody is let in on a doubt."""

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

    async def admit(
        self, headers: Mapping[str, str], repeated: AbstractSet[str], address: str = ""
    ) -> Principal:
        """Return whom a request comes from, by the settings that hold when this returns.

        Args:
            headers: The headers of the request, names in lower case.
            repeated: Those that came more than once.
            address: What stands for the client before anybody knows who it is.

        Raises:
            Refusal: It is not let in.
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
            self._auth, self._authenticator = auth, new  # only now: building may fail
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
            # Only here: cryptography takes 9 MB of memory.
            from mcp_operator.gateway.policy.by_token import ByToken  # noqa: PLC0415

            return ByToken(auth.jwt, auth.rules, self._fetch, self._clock)
        return _Nobody()


def credential_header(auth: Auth) -> str:
    """Return the header that carries what clients authenticate with, in lower case."""
    return auth.api_keys.header if auth.api_keys is not None else "authorization"


class _Nobody:
    """Lets nobody in."""

    async def principal(self, _: Mapping[str, str], _address: str, /) -> Principal:
        raise Refusal("unavailable", "This server cannot authenticate clients. Its log says why")

    async def close(self) -> None:
        """Do nothing."""
