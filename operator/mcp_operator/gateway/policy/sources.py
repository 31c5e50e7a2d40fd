"""The inputs of authentication: headers of requests, Secrets, and identity providers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from mcp_operator.api.catalog import Backend, SecretKey
from mcp_operator.core.meta import Key
from mcp_operator.gateway.policy.refusal import Refusal

FetchJwks = Callable[[Backend], Awaitable[bytes]]
"""Fetches a document from an endpoint; raises an OperatorError if that fails."""


class KeySecrets(Protocol):
    """Provides all values of a Secret."""

    async def values(self, secret: Key) -> Mapping[str, bytes]:
        """Return the values by key.

        Raises:
            OperatorError: The Secret does not exist, or the gateway is not allowed to read it.
        """
        ...

    def distrust(self, key: SecretKey) -> None:
        """Read the Secret again before its next use, unless it has just been read."""
        ...


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of the Authorization header (RFC 6750 section 2.1), its only valid place.

    Raises:
        Refusal: There is no token.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal("missing", "Send `Authorization: Bearer` with your token or API key")
    return token.strip()
