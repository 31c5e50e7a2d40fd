"""The interface of the core to a recorder of traces (see `gateway.traces`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mcp_operator.gateway.protocol.jsonrpc import Request
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.observer import Outcome
from mcp_operator.gateway.protocol.spec import Era


class Trace(Protocol):
    """The span of one MCP request. Its methods must not raise and must not block."""

    @property
    def handed_on(self) -> Mapping[str, str]:
        """The W3C Trace Context for requests to backends: `traceparent` and `tracestate`."""
        ...

    def end(self, outcome: Outcome, code: int | None) -> None:
        """End the span.

        Args:
            outcome: How the request ended.
            code: The code of the JSON-RPC error in the response; None for a result.
        """
        ...


class Tracer(Protocol):
    """Records MCP requests."""

    def request(
        self, http: HttpRequest, request: Request, *, method: str, era: Era, version: str
    ) -> Trace:
        """Start the span of a request; until it ends, log lines of the request contain the trace.

        Args:
            http: The HTTP request that carried it.
            request: The request.
            method: One of MCP's methods, or `other`.
            era: Its wire format.
            version: The protocol version of its session; empty if it has no session.
        """
        ...
