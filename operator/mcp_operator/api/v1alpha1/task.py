"""When a call goes on as a task after it was answered."""

from __future__ import annotations

from typing import Literal

from mcp_operator.api.base import ApiModel, rule, validated
from mcp_operator.api.v1alpha1.common import Duration


class TaskOptions(ApiModel):
    """When a call becomes a task: the client gets its id at once, and the result later.

    Tasks are an extension of MCP 2026-07-28, io.modelcontextprotocol/tasks. Clients without it are
    answered when the work has ended, within the timeout.
    """

    model_config = validated(
        rule(
            "self.mode != 'Never' || !(has(self.pollInterval) || has(self.maxAge))",
            "with mode: Never there are no tasks; remove pollInterval and maxAge",
            field_path=".mode",
        ),
        rule(
            "!has(self.pollInterval) || duration(self.pollInterval) >= duration('1s')",
            "the backend is polled at most once a second: set pollInterval to 1s or more",
            field_path=".pollInterval",
        ),
        rule(
            "!has(self.maxAge) || duration(self.maxAge) >= duration('1s') "
            "&& duration(self.maxAge) <= duration('168h')",
            "set maxAge to between 1s and 168h",
            field_path=".maxAge",
        ),
    )

    mode: Literal["Never", "Auto", "Always"]
    """Auto makes a task of a call that the backend answers
    with 202 and a Location, and gets the result from there. Always makes a task of every call, and
    refuses clients without the extension. Never makes none, as when task is left out."""
    poll_interval: Duration | None = None
    """Time between two looks at the Location, where the backend names none with Retry-After; 5s
    when left out."""
    max_age: Duration | None = None
    """Time after which a task fails if it has not ended; 1h when left out. A task that has ended is
    kept for an hour."""
