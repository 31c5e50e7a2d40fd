"""Authenticates clients by access tokens of an identity provider."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from mcp_operator.api import catalog
from mcp_operator.api.access import AccessRule
from mcp_operator.core.clock import Clock
from mcp_operator.gateway.policy.access import looked_at
from mcp_operator.gateway.policy.attempts import Attempts
from mcp_operator.gateway.policy.jwks import FixedKeys, Keys, RemoteKeys
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.policy.sources import FetchJwks, bearer
from mcp_operator.gateway.policy.tokens import (
    LEEWAY_SECONDS,
    Expected,
    TokenError,
    read_header,
    verify,
)

MAX_VERIFIED: Final = 10_000
"""Verified tokens that are cached, in about 2 MiB; the least recently used is dropped first."""

VERIFICATIONS_PER_SECOND: Final = 500
"""Signatures that are verified per second; one address can use half of them. Each takes about
0.1 ms, even a wrong one. Without a limit, a client with wrong tokens could use all of the CPU."""


class ByToken:
    """Accepts clients that send an access token for this server; verifies each token once."""

    def __init__(
        self,
        settings: catalog.Jwt,
        rules: Sequence[AccessRule],
        fetch: FetchJwks | None,
        clock: Clock,
    ) -> None:
        self._expected = Expected(
            settings.issuer,
            frozenset(settings.audiences),
            settings.user_claim,
            frozenset(claim.name for rule in rules for claim in rule.claims),
            looked_at(rules),
        )
        self._required = frozenset(settings.required_scopes)
        self._clock = clock
        self._keys: Keys
        if settings.endpoint is not None and fetch is not None:
            endpoint = settings.endpoint
            self._keys = RemoteKeys(lambda: fetch(endpoint))
        else:
            self._keys = FixedKeys((settings.keys or {}).get("keys"))
        self._verified_by = self._keys.keys
        self._verified: OrderedDict[bytes, Principal] = OrderedDict()
        self._verifications = Attempts(VERIFICATIONS_PER_SECOND, "Too many new tokens; try again")

    async def principal(self, headers: Mapping[str, str], address: str) -> Principal:
        """Return the client that the access token identifies.

        Raises:
            Refusal: The token is missing or not accepted, or tokens cannot be verified now.
        """
        token = bearer(headers)
        name = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = self._known(name)
        if found is None:
            found = await self._verify(token, address)
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
        """Forget tokens that replaced keys verified: one of these keys could have been revoked."""
        if self._keys.keys is not self._verified_by:
            self._verified.clear()
            self._verified_by = self._keys.keys

    def _remember(self, name: bytes, principal: Principal) -> None:
        self._follow_keys()
        self._verified[name] = principal
        if len(self._verified) > MAX_VERIFIED:
            self._verified.popitem(last=False)

    async def _verify(self, token: str, address: str) -> Principal:
        try:
            header = read_header(token)
            key = await self._keys.find(header)
            if key is not None:
                self._verifications.spend(address)
            return verify(token, key, self._expected, self._now())
        except TokenError as error:
            raise Refusal("invalid", f"The token is not accepted: {error}") from None

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def close(self) -> None:
        """Cancel fetches in progress."""
        await self._keys.close()
