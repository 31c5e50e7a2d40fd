"""What the core needs from a recorder of traces (see `gateway.traces`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mcp_operator.gateway.protocol.jsonrpc import Request
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.observer import Outcome
from mcp_operator.gateway.protocol.spec import Era


class Trace(Protocol):
    """The span of one MCP request. It must neither raise nor wait."""

    @property
    def handed_on(self) -> Mapping[str, str]:
        """The W3C Trace Context for what the request causes: `traceparent` and `tracestate`."""
        ...

    def begin(self) -> None:
        """Begin; until the end, each log line of this request names the trace."""
        ...

    def end(self, outcome: Outcome, code: int | None) -> None:
        """End.

        Args:
            outcome: How the request ended.
            code: Of the JSON-RPC error that answers it; None for a result.
        """
        ...


class Tracer(Protocol):
    """Records MCP requests."""

    def request(
        self, http: HttpRequest, request: Request, *, method: str, era: Era, version: str
    ) -> Trace:
        """Return the span of a request, which has not begun yet.

        Args:
            http: What carried the request.
            request: The request.
            method: One of MCP's, or `other`.
            era: Whose wire format it has.
            version: The protocol version that its session agreed on; empty where it has none.
        """
        ...
