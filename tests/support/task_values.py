"""Tasks for tests, with defaults for everything that a test does not specify."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import Job
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.tasks.task import Task, new_id
from support.mcp_http import META, modern

BEGAN = datetime(2026, 12, 1, tzinfo=UTC).timestamp()

JOB = Job("/jobs/7?v=1", 5.0)

NAME_FORM: JsonObject = {
    "method": "elicitation/create",
    "params": {
        "message": "Your name?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}


def a_task(**fields: Any) -> Task:
    """Return a new task."""
    given: dict[str, Any] = {
        "id": new_id(),
        "tool": "report",
        "origin": "http://orders.demo.svc:80",
        "owner": "",
        "client": "c1",
        "created": BEGAN,
        "updated": BEGAN,
        "max_age": 600.0,
        "pause": 5.0,
    }
    return Task(**given | fields)


class LoopClock:
    """A wall clock that advances with the time of the event loop."""

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        passed = asyncio.get_running_loop().time() - self._began
        return datetime.fromtimestamp(BEGAN + passed, UTC)


def taking_tasks(
    method: str,
    params: JsonObject | None = None,
    declared: JsonObject | None = None,
    **headers: str,
) -> HttpRequest:
    """Return a request of a client that supports the tasks extension and elicitation."""
    declared = {"elicitation": {}} if declared is None else declared
    meta = META | {spec.CAPABILITIES_META: {"extensions": {spec.TASKS: {}}, **declared}}
    return modern(method, {"_meta": meta, **(params or {})}, **headers)
