"""`errorWhen`: a CEL condition that makes an answer a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mcp_operator.api.cel_condition import Condition, cel_value

_BODIES: Final[tuple[Any, ...]] = ({}, "", [], 0, False, None)


class ErrorWhen(Condition):
    """A compiled condition over `status`, `headers` and `body`."""

    names = ("status", "headers", "body")
    whole = frozenset({"headers", "body"})

    def probes(self) -> Iterator[Mapping[str, Any]]:
        """Yield an answer with a body of each type."""
        return ({"status": 200, "headers": {}, "body": body} for body in _BODIES)

    def holds(self, status: int, headers: Mapping[str, str], body: Any) -> bool:
        """Tell whether an answer is a failure.

        Args:
            status: The HTTP status.
            headers: By name in lower case.
            body: The JSON value; the text if it is not JSON; else None.

        Raises:
            SelectionError: The condition cannot be evaluated, for example because a field is
                missing. The sentence quotes the condition, never the answer.
        """
        return self.decide({"status": status, "headers": dict(headers), "body": cel_value(body)})
