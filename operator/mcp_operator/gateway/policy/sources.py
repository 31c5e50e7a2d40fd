"""What authentication reads: of requests, of Secrets, of identity providers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from mcp_operator.api.catalog import Backend, SecretKey
from mcp_operator.core.meta import Key
from mcp_operator.gateway.policy.refusal import Refusal

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


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of the header Authorization (RFC 6750 section 2.1), and of nowhere else.

    Raises:
        Refusal: There is none.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal("missing", "Send `Authorization: Bearer` with your token or API key")
    return token.strip()
