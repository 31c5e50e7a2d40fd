"""Logs one line per call: who called what, and how it ended. Never arguments, content or tokens."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.policy.refusal import Why
from mcp_operator.gateway.table import Current, Table

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)  # `config.logLevel` applies only to the gateway's own messages

CALLS: Final = frozenset({"tools/call", "prompts/get", "resources/read"})

MAX_ID: Final = 64
"""Characters of a request's id that are logged; clients choose it."""

REFUSALS_PER_SECOND: Final = 10
"""Lines about refused clients per second, so that a flood of requests does not flood the log."""


@dataclass(frozen=True, slots=True)
class Call:
    """One completed call.

    Attributes:
        principal: The client that called.
        method: The MCP method.
        params: Its parameters; only the name of the catalog entry is logged.
        request_id: The JSON-RPC id.
        outcome: How it ended.
        seconds: How long it took.
        request_bytes: The size of the HTTP request that carried it.
        response_bytes: The size of its result; 0 if it has none.
        trace: The W3C `traceparent` of the request, if any.
    """

    principal: Principal
    method: str
    params: JsonObject
    request_id: str | int
    outcome: str
    seconds: float
    request_bytes: int
    response_bytes: int
    trace: str = ""


class Audit:
    """Writes the log lines that the server's `audit` setting asks for."""

    def __init__(self, current: Current) -> None:
        self._current = current
        self._second = 0
        self._refusals = 0

    def wants(self, method: str, outcome: str) -> bool:
        """Tell whether to log a request with this outcome."""
        level = self._current.server.audit
        return level != "Off" and method in CALLS and (level == "All" or outcome != "ok")

    def call(self, call: Call) -> None:
        """Log a call."""
        fields: dict[str, Any] = {
            "client": call.principal.name,
            "issuer": call.principal.issuer,
            "method": call.method,
            **_entry(self._current.table, call),
            "outcome": call.outcome,
            "milliseconds": round(call.seconds * 1000, 1),
            "requestBytes": call.request_bytes,
            "responseBytes": call.response_bytes,
            "requestId": str(call.request_id)[:MAX_ID],
            "trace": call.trace,
        }
        kept = {name: value for name, value in fields.items() if value != ""}
        log.info("A client made a call", extra=kept)

    def refusal(self, why: Why) -> None:
        """Log that a client was refused; skips some if there are many within a second."""
        if self._current.server.audit == "Off":
            return
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._refusals = second, 0
        self._refusals += 1
        if self._refusals <= REFUSALS_PER_SECOND:
            log.info("A client was refused", extra={"reason": why})


def _entry(table: Table | None, call: Call) -> dict[str, str]:
    """Return the catalog entry that a call is for, and its backend.

    A name that is not in the catalog is not logged, because it is untrusted text.
    """
    named = table.named(call.method, call.params) if table else None
    if named is None:
        return {}
    entry = {named.kind.removesuffix("s"): named.name}
    backend = named.backend
    return entry | ({"backend": f"{backend.host}:{backend.port}"} if backend else {})
