"""The client that sent a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Principal:
    """A client whose identity was verified, or an anonymous one.

    Attributes:
        name: The name of its API key, or the claim of its token that names it; empty if anonymous.
        issuer: The issuer of its token; empty for API keys.
        scopes: The scopes of its token.
        claims: Names and values of the claims that rules match.
        expires: When its token expires, in Unix seconds; None for never.
        looked_at: The claims that conditions of rules read, as a JSON object; empty for none.
    """

    name: str = ""
    issuer: str = ""
    scopes: frozenset[str] = frozenset()
    claims: frozenset[tuple[str, str]] = frozenset()
    expires: float | None = None
    looked_at: str = ""


ANONYMOUS: Final = Principal()
"""Every client of a server that does not authenticate its clients."""
