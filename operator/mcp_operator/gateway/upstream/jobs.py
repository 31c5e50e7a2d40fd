"""Jobs that a backend accepted with 202, as HTTP requests and responses (pure functions).

The backend says where to poll a job. That must be a path and a query on the same backend, or else
it is ignored.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from pydantic_core import from_json

from mcp_operator.api.catalog import Backend, JsonObject, TaskPolicy, ToolEntry
from mcp_operator.gateway.contract import NO_INPUT, ClientInput, Job
from mcp_operator.gateway.upstream.answer import Answer, clean
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.redirects import resolved
from mcp_operator.gateway.upstream.retries import retry_after
from mcp_operator.gateway.upstream.styles import quoted
from mcp_operator.gateway.upstream.text import is_json

MIN_PAUSE: Final = 1.0
MAX_PAUSE: Final = 3600.0
"""Limits on the seconds between two polls of a job, whatever its backend asks for."""

MAX_STATUS: Final = 64 * 1024
"""Bytes of a 202 response that are searched for the state of the job."""

BUSY: Final = frozenset({429, 502, 503, 504})
"""Statuses that say nothing about a job: its backend was unavailable (RFC 9110, RFC 6585)."""


def accepted(tool: ToolEntry, request: Request, answer: Answer) -> Job | None:
    """Return the job that a response announces; None if it is an ordinary response.

    Args:
        tool: The tool that was called.
        request: The request.
        answer: The response.
    """
    if tool.task is None or answer.status != HTTPStatus.ACCEPTED:
        return None
    target = resolved(request, answer.header("location"))
    return Job(target, _pause(tool.task, answer), _message(answer)) if target else None


def explained(tool: ToolEntry, answer: Answer) -> Answer:
    """Explain a 202 response whose Location is not followed."""
    is_lost = tool.task is not None and answer.status == HTTPStatus.ACCEPTED
    if not is_lost or not answer.header("location"):
        return answer
    where = clean(answer.header("location"))
    problem = f"the result would be at {where}, which is not on the tool's Service"
    return replace(answer, problem=f"{problem} and is not requested")


def going_on(tool: ToolEntry, job: Job, request: Request, answer: Answer) -> Job | None:
    """Return how to poll a job next; None if the response is its result."""
    if tool.task is None or answer.status != HTTPStatus.ACCEPTED:
        return None
    target = resolved(request, answer.header("location")) or job.target
    return Job(target, _pause(tool.task, answer), _message(answer) or job.message)


def look(backend: Backend, job: Job, given: ClientInput) -> Request:
    """Return the request that polls a job, or that sends it the client's answers.

    The answers are in the same places as for a call. POST tells them from a poll, which is a GET.
    """
    is_answer = bool(given.responses) or given.state is not None
    return Request(
        method="POST" if is_answer else "GET",
        scheme=backend.scheme,
        host=backend.host,
        port=backend.port,
        target=_target(backend, job),
        external=backend.external,
        virtual_host=backend.virtual_host,
    )


def end(backend: Backend, job: Job) -> Request:
    """Return the request that asks a backend to cancel a job."""
    return replace(look(backend, job, NO_INPUT), method="DELETE")


def _target(backend: Backend, job: Job) -> str:
    """Return the target of a job without the query parameters that credentials add.

    They are added again to each request, so a copy in the backend's Location is redundant.
    """
    added = {parameter.name for parameter in backend.query if parameter.secret is not None}
    if backend.credentials is not None and backend.credentials.type == "Query":
        added.add(backend.credentials.name)
    if not added:
        return job.target
    parts = urlsplit(job.target)
    names = {quoted(name) for name in added}
    kept = [each for each in parts.query.split("&") if each.partition("=")[0] not in names]
    return urlunsplit(parts._replace(query="&".join(kept)))


def _pause(policy: TaskPolicy, answer: Answer) -> float:
    asked = retry_after(answer) if answer.header("retry-after") else policy.poll_seconds
    return min(max(asked, MIN_PAUSE), MAX_PAUSE)


def _message(answer: Answer) -> str:
    """Return the `statusMessage` of a JSON object in the response."""
    message = status_of(answer).get("statusMessage")
    return clean(message).strip() if isinstance(message, str) else ""


def status_of(answer: Answer) -> JsonObject:
    """Return the JSON object in a 202 response; empty if it contains something else."""
    if not is_json(answer.media_type) or len(answer.body) > MAX_STATUS:
        return {}
    try:
        status = from_json(answer.body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}
