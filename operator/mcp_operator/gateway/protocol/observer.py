"""What the core reports about the requests it served."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from mcp_operator.gateway.contract import Cause
from mcp_operator.gateway.limits.errors import Limit
from mcp_operator.gateway.policy.refusal import Why
from mcp_operator.gateway.protocol.spec import Era

Outcome: TypeAlias = Literal["ok", "tool_error", "error", "rejected", "cancelled"]
"""`tool_error` is a result with `isError`; `error` a JSON-RPC error; `rejected` one of a bound."""

ToolOutcome: TypeAlias = Outcome | Cause
"""`tool_error` is what the tool itself calls a failure; the rest of its failures have a cause."""

TaskEvent: TypeAlias = Literal["created", "completed", "failed", "cancelled"]
"""What becomes of a task, by the words of MCP; one is completed also where its tool failed."""

Authenticated: TypeAlias = Why | Literal["ok"]


class Observer(Protocol):
    """Counts and times; must neither raise nor wait."""

    def request(self, method: str, era: Era, outcome: Outcome, seconds: float) -> None:
        """Note a request; `method` is one of MCP's or `other`, so that labels stay bounded."""
        ...

    def authentication(self, outcome: Authenticated) -> None:
        """Note whether a request was let in by a server that authenticates its clients."""
        ...

    def limited(self, limit: Limit) -> None:
        """Note a call that was refused by one of the limits on calls."""
        ...

    def tool(self, name: str, outcome: ToolOutcome, seconds: float) -> None:
        """Note a call of a tool of the catalog."""
        ...

    def task(self, event: TaskEvent, seconds: float | None = None) -> None:
        """Note that there is a new task, or that one has ended after some seconds."""
        ...
