"""Whom a request comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Principal:
    """A client whose identity was verified, or nobody in particular.

    Attributes:
        name: The name of its API key, or the claim of its token that names it; empty for nobody.
        issuer: Who vouches for the name: the issuer of its token; empty for API keys.
        scopes: What its token may be used for.
        claims: Values of the claims that rules ask for, each with the name of its claim.
        expires: When its token ends, in Unix seconds; None for never.
        looked_at: The claims that conditions of rules look at, as a JSON object; empty for none.
    """

    name: str = ""
    issuer: str = ""
    scopes: frozenset[str] = frozenset()
    claims: frozenset[tuple[str, str]] = frozenset()
    expires: float | None = None
    looked_at: str = ""


ANONYMOUS: Final = Principal()
"""Everybody, where a server does not authenticate its clients."""
