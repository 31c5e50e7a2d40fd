"""The next step of a task, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_operator.api.catalog import JsonObject, ToolEntry
from mcp_operator.gateway.contract import Call, ClientInput, InputRequired
from mcp_operator.gateway.protocol import capabilities, spec
from mcp_operator.gateway.protocol.answers import Questions, RequestError
from mcp_operator.gateway.tasks.task import INTERNAL_ERROR, Task


def origin_of(tool: ToolEntry) -> str:
    """Return the backend that a job of a tool belongs to."""
    backend = tool.backend
    return f"{backend.scheme}://{backend.host}:{backend.port}"


def asking_task(task: Task, required: InputRequired, now: float) -> Task:
    """Return the task asking its client; failed if MCP or the client's capabilities forbid it."""
    try:
        Questions(required.requests)
    except RequestError as error:
        problem = f"The backend requests something from the client that MCP does not allow: {error}"
        return task.failed(INTERNAL_ERROR, problem, now)
    has = capabilities.declared(task.capabilities)
    missing = capabilities.needed(required.requests) & ~has
    if missing:
        problem = f"{task.tool} {capabilities.lacks(missing)}"
        return task.failed(spec.MISSING_CAPABILITY, problem, now)
    return task.asking(required.requests, required.state, now)


def call_of(task: Task) -> Call:
    """Return the call of a task, for the executor."""
    answers: Mapping[str, JsonObject] = task.answers
    given = ClientInput(answers, task.state)
    return Call(
        task.headers,
        trace=task.trace,
        client=task.client,
        capabilities=task.capabilities,
        input=given,
        takes_jobs=True,
    )
