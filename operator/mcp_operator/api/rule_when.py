"""`when` of a rule in `spec.auth`: a CEL condition on the client."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.cel_condition import Condition, cel_value, members_of


class RuleWhen(Condition):
    """A compiled condition over `principal`, `scopes` and `claims`.

    Attributes:
        claims: The claims that it uses; None for all.
    """

    names = ("principal", "scopes", "claims")
    whole = frozenset({"scopes", "claims"})

    def __init__(self, condition: str) -> None:
        """Compile.

        Raises:
            SelectionError: It is not CEL, uses another name, or has a form that could take long.
        """
        super().__init__(condition)
        self.claims = members_of(condition, "claims")

    def probes(self) -> Iterator[Mapping[str, Any]]:
        """Yield a client without scopes and claims."""
        yield {"principal": "", "scopes": [], "claims": {}}

    def holds(self, principal: str, scopes: Collection[str], claims: JsonObject) -> bool:
        """Tell whether a client meets the condition.

        Args:
            principal: The name of the client.
            scopes: The scopes of its token; none for an API key.
            claims: The claims of its token; none for an API key.

        Raises:
            SelectionError: The condition cannot be evaluated, for example because a claim is
                missing. The sentence quotes the condition, never the client.
        """
        return self.decide(
            {"principal": principal, "scopes": sorted(scopes), "claims": cel_value(claims)}
        )
