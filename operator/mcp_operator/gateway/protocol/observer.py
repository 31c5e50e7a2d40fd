"""The interface to which the core reports the requests that it served."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from mcp_operator.gateway.contract import Cause
from mcp_operator.gateway.limits.errors import Limit
from mcp_operator.gateway.policy.refusal import Why
from mcp_operator.gateway.protocol.spec import Era

Outcome: TypeAlias = Literal["ok", "tool_error", "error", "rejected", "cancelled"]
"""`tool_error`: a result with `isError`; `error`: a JSON-RPC error; `rejected`: over a limit."""

ToolOutcome: TypeAlias = Outcome | Cause
"""`tool_error` is a failure that the tool itself reports; other failures of calls have a cause."""

TaskEvent: TypeAlias = Literal["created", "completed", "failed", "cancelled"]
"""The states of a task in MCP. A task is `completed` even if its tool failed."""

Authenticated: TypeAlias = Why | Literal["ok"]


class Observer(Protocol):
    """Counts and measures requests; its methods must not raise and must not block."""

    def request(self, method: str, era: Era, outcome: Outcome, seconds: float) -> None:
        """Count a request; `method` is one of MCP's or `other`, to limit the number of labels."""
        ...

    def authentication(self, outcome: Authenticated) -> None:
        """Count an attempt to authenticate, by outcome."""
        ...

    def limited(self, limit: Limit) -> None:
        """Count a call that was refused by a limit."""
        ...

    def tool(self, name: str, outcome: ToolOutcome, seconds: float) -> None:
        """Count a call of a tool in the catalog."""
        ...

    def task(self, event: TaskEvent, seconds: float | None = None) -> None:
        """Count a new task, or a task that has ended after some seconds."""
        ...
