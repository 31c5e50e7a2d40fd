"""The executor: turns arguments into a backend request, and the response into MCP content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Literal, TypeVar

from mcp_operator.api import places
from mcp_operator.api.catalog import (
    Backend,
    JsonObject,
    ResourceEntry,
    ResponseMapping,
    RetryPolicy,
    ToolEntry,
)
from mcp_operator.api.uritemplates import Variables
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import (
    MISSING,
    TRACEPARENT,
    Call,
    Cause,
    InputRequired,
    Job,
    JobUnreachableError,
    ResourceUnavailable,
    ToolResult,
    error_result,
)
from mcp_operator.gateway.execute_jobs import JobExecutor
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream import content, jobs
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.bulkhead import Bulkheads, BusyError
from mcp_operator.gateway.upstream.client import Reason, Upstream, UpstreamError
from mcp_operator.gateway.upstream.conditional import conditional, note_validators
from mcp_operator.gateway.upstream.mapping import MappingError, Request, build_request
from mcp_operator.gateway.upstream.media import resource
from mcp_operator.gateway.upstream.native import is_native, native_result, told
from mcp_operator.gateway.upstream.outgoing import UsedSecrets, complete, tls_of
from mcp_operator.gateway.upstream.reading import StreamLimits
from mcp_operator.gateway.upstream.redirects import (
    MAX_REDIRECTS,
    REDIRECTS,
    explain,
    next_request,
)
from mcp_operator.gateway.upstream.retries import Budgets, Retrying
from mcp_operator.gateway.upstream.secret_values import SecretSource, SecretUnavailable
from mcp_operator.gateway.upstream.telling import Telling
from mcp_operator.gateway.upstream.tokens import Tokens

log = logging.getLogger(__name__)

_Mapped = TypeVar("_Mapped")

CREDENTIAL_REFUSED = frozenset({401, 403})
"""Statuses after which the Secrets of a call are read again before they are used."""

MAX_MAPPED_AT_ONCE = 256 * 1024
"""Bytes of a response that are mapped on the event loop, in about 20 ms. Larger responses are
mapped in a thread, and so is every expression, which can take seconds even for a small response."""

_CAUSES: Mapping[Reason, Cause] = {
    "connect": "unreachable",
    "tls": "unreachable",
    "closed": "unreachable",
    "protocol": "backend_error",
    "too_large": "backend_error",
    "forbidden": "error",
    "credentials": "error",
}
"""The cause that each kind of failure between gateway and backend counts as."""

STREAM_SHARE = 0.9
"""Share of a call's time after which an endless stream is cut, and the events so far are used."""


async def _followed(
    request: Request,
    send: Callable[[Request], Awaitable[Answer]],
    follow: Literal["SameService", "Never"],
) -> Answer:
    """Send a request and follow redirects; explain one that is not followed in the answer."""
    answer, followed = await send(request), 0
    while follow == "SameService" and followed < MAX_REDIRECTS:
        target = next_request(request, answer)
        if target is None:
            break
        request, followed = target, followed + 1
        answer = await send(request)
    if answer.status in REDIRECTS:
        answer = replace(answer, problem=explain(request, answer, followed))
    return answer


def _stream_limits(
    response: ResponseMapping, deadline: float, telling: Telling | None
) -> StreamLimits:
    """Return the limits of a stream, which leave time to return the events of an endless one."""
    left = deadline - asyncio.get_running_loop().time()
    given = response.stream_max_seconds
    return StreamLimits(
        max_events=response.stream_max_events,
        max_seconds=max(0.0, min(given or left, left * STREAM_SHARE)),
        any_type=response.stream_max_events is not None or given is not None,
        media_type=places.media_type(response.mime_type),
        tell=telling.tell if telling is not None else None,
        deadline=deadline,
    )


def _read_as(entry: ResourceEntry) -> ResponseMapping:
    """Return the mapping of a resource's responses, with the listed media type of the resource."""
    return entry.response.model_copy(update={"mime_type": entry.mime_type})


def _log_failure(
    name: str, backend: Backend, call: Call, began: float, cause: Cause, **details: object
) -> None:
    """Log a failed call of a backend, in one line."""
    seconds = asyncio.get_running_loop().time() - began
    parent = call.trace.get("traceparent", "")
    trace = {"trace": parent} if TRACEPARENT.fullmatch(parent) else {}  # untrusted text otherwise
    fields: JsonObject = {"entry": name, "backend": f"{backend.host}:{backend.port}"}
    fields |= {"outcome": cause, "seconds": round(seconds, 3), **details, **trace}
    log.info("A call to a backend failed", extra=fields)


async def _off_the_loop(
    response: ResponseMapping,
    answer: Answer,
    mapped: Callable[[], _Mapped],
    encoded: Callable[[_Mapped], _Mapped],
) -> _Mapped:
    """Map a response, in a thread if that can take long. The thread also encodes large results."""
    is_large = len(answer.body) > MAX_MAPPED_AT_ONCE
    if not (is_large or response.selects or response.error_when):
        return mapped()
    return await asyncio.to_thread(lambda: encoded(mapped()) if is_large else mapped())


def _encoded_result(result: ToolResult | InputRequired) -> ToolResult | InputRequired:
    """Return a result with its large parts already encoded."""
    if isinstance(result, InputRequired):
        return result
    structured = result.structured
    return replace(
        result,
        content=tuple(map(exact.encoded_members, result.content)),
        structured=structured if structured is MISSING else exact.Encoded(exact.encode(structured)),
    )


def _encoded_contents(contents: tuple[JsonObject, ...]) -> tuple[JsonObject, ...]:
    return tuple(map(exact.encoded_members, contents))


class _FailedError(OperatorError):
    """The call failed without a usable response; the message is safe for clients."""

    def __init__(self, message: str, cause: Cause) -> None:
        super().__init__(message)
        self.cause: Cause = cause


class HttpExecutor(JobExecutor):
    """`Executor` over HTTP: a bulkhead per backend, a deadline per call, and optional retries.

    Without a retry policy, requests are not repeated, because the backend could have acted on the
    first one. The exception is a 401 for an access token that could have been revoked.
    """

    def __init__(
        self,
        current: Current,
        upstream: Upstream,
        secrets: SecretSource,
        *,
        name_addresses: bool = False,
    ) -> None:
        """Set up an executor.

        Args:
            current: Holds the table in service.
            upstream: Sends the requests.
            secrets: Provides the values of Secret keys.
            name_addresses: Whether errors tell clients the address that failed. In a cluster they
                do not, because that would expose the cluster's network.
        """
        self._current = current
        self._upstream = upstream
        self._secrets = secrets
        self._tokens = Tokens(upstream, secrets)
        self._name_addresses = name_addresses
        self._bulkheads = Bulkheads()
        self._budgets = Budgets()

    async def call_tool(
        self, tool: ToolEntry, arguments: JsonObject, call: Call
    ) -> ToolResult | InputRequired | Job:
        """Call a tool. Failures of the backend are results too; accepted work becomes a job.

        The caller has checked the arguments against the input schema.
        """
        began = asyncio.get_running_loop().time()
        try:
            request = build_request(tool.backend, arguments)
            answer = await self._exchange(
                tool.name, tool.backend, tool.response, request, call, retries=tool.retries
            )
        except MappingError as error:
            return error_result(str(error), "invalid_arguments")
        except _FailedError as error:
            return error_result(str(error), error.cause)
        if call.validators is not None and call.validators.unchanged:
            return ToolResult(())
        job = jobs.accepted(tool, request, answer)
        if job is None:
            return await self._result(tool, jobs.explained(tool, answer), call, began)
        return job if call.takes_jobs else await self.wait_for(tool, job, call)

    async def _ask(self, tool: ToolEntry, request: Request, call: Call) -> Answer:
        try:
            return await self._exchange(tool.name, tool.backend, tool.response, request, call)
        except (MappingError, _FailedError) as error:
            raise JobUnreachableError(str(error)) from error

    def _seconds(self, tool: ToolEntry) -> float:
        return self._current.server.seconds_of(tool.backend)

    async def _result(
        self, tool: ToolEntry, answer: Answer, call: Call, began: float
    ) -> ToolResult | InputRequired:
        mapped = partial(self._mapped, tool, answer)
        result = await _off_the_loop(tool.response, answer, mapped, _encoded_result)
        if isinstance(result, ToolResult) and result.cause:
            _log_failure(tool.name, tool.backend, call, began, result.cause, status=answer.status)
        return result

    def _mapped(self, tool: ToolEntry, answer: Answer) -> ToolResult | InputRequired:
        table = self._current.table

        def output_errors(value: object) -> list[str]:
            if tool.output_schema is None or table is None:
                return []
            problems = table.output_errors(tool.name, exact.for_schema(value))
            if problems:  # only the client gets them, because they quote the response
                log.warning(
                    "An answer does not match the outputSchema of its tool",
                    extra={"entry": tool.name, "status": answer.status, "problems": len(problems)},
                )
            return problems

        if is_native(tool.response, answer):
            failed = content.is_error_status(tool.response.error_status, answer.status)
            return native_result(tool, answer, output_errors, failed=failed)
        return content.tool_result(tool, answer, output_errors)

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: Variables, call: Call
    ) -> tuple[JsonObject, ...]:
        """Read a resource from the catalog, a Secret or its backend.

        Raises:
            ResourceUnavailable: The backend or the Secret did not provide the content.
        """
        if entry.backend is not None:
            try:
                response = _read_as(entry)
                request = build_request(entry.backend, dict(variables))
                answer = await self._exchange(entry.name, entry.backend, response, request, call)
            except (MappingError, _FailedError) as error:
                raise ResourceUnavailable(str(error)) from error
            if call.validators is not None and call.validators.unchanged:
                return ()
            mapped = partial(content.resource_contents, entry, response, answer, uri)
            return await _off_the_loop(response, answer, mapped, _encoded_contents)
        if entry.secret is not None:
            try:
                value = await self._secrets.value(entry.secret)
            except SecretUnavailable as error:
                log.warning("The Secret of a resource is unavailable", extra={"error": str(error)})
                raise ResourceUnavailable(
                    "the content of this resource is not available"
                ) from error
            return (resource(uri, Answer(200, entry.mime_type, value), entry.mime_type),)
        return content.fixed_contents(uri, entry.mime_type, text=entry.text, blob=entry.blob)

    async def _exchange(
        self,
        name: str,
        backend: Backend,
        response: ResponseMapping,
        request: Request,
        call: Call,
        *,
        retries: RetryPolicy | None = None,
    ) -> Answer:
        """Send a request and read its response, within the deadline and the backend's bulkhead.

        Raises:
            MappingError: Values that are added to the request make it invalid.
            _FailedError: Anything else went wrong.
        """
        telling = Telling(call.listener) if response.native else None
        if response.native:
            request = told(request, call)
        server = self._current.server
        timeout = server.seconds_of(backend)
        began = asyncio.get_running_loop().time()
        deadline = began + timeout
        if call.deadline is not None:
            deadline = min(deadline, call.deadline)
        capacity = server.max_concurrent_requests
        slot = self._bulkheads.slot(backend.host, backend.port, capacity, call.client)
        try:
            async with asyncio.timeout_at(deadline), slot:
                tls = await tls_of(backend, self._secrets)
                limit = backend.max_response_bytes or server.max_response_bytes

                async def once(request: Request) -> Answer:
                    stream = _stream_limits(response, deadline, telling)
                    return await self._upstream.send(request, tls, limit, stream)

                budget = self._budgets.of(backend.host, backend.port)
                send = Retrying(once, retries, budget, deadline, name)

                async def answered() -> tuple[Answer, UsedSecrets]:
                    secrets, tokens = self._secrets, self._tokens
                    sent, used = await complete(request, backend, call, secrets, tokens)
                    if telling is not None:
                        telling.redacted = used.redacted
                    sent = conditional(sent, call.validators)
                    return await _followed(sent, send, response.follow_redirects), used

                answer, used = await answered()
                if answer.status == HTTPStatus.UNAUTHORIZED and used.token:
                    self._tokens.reject(used.token)  # one retry is safe: the backend did nothing
                    answer, used = await answered()
        except (TimeoutError, UpstreamError, BusyError, SecretUnavailable) as error:
            failed = self._failure(error)
            said = str(error) or f"no answer within {timeout:g} s"
            address = error.address if isinstance(error, UpstreamError) else ""
            more = {"address": address} if address else {}
            _log_failure(name, backend, call, began, failed.cause, error=said, **more)
            raise failed from error
        if answer.status in CREDENTIAL_REFUSED:
            for key in used.keys:
                self._secrets.distrust(key)
        note_validators(call.validators, answer)
        return used.redact(answer)

    def _failure(self, error: Exception) -> _FailedError:
        """Return the error for clients, without details that they must not see."""
        match error:
            case TimeoutError():
                problem = "The backend did not answer in time."
                return _FailedError(problem, "timeout")
            case SecretUnavailable():
                problem = "The credentials for the backend are unavailable"
                return _FailedError(f"{problem}; the server's log says which.", "error")
            case UpstreamError(address=address):
                problem = str(error)
                if address and self._name_addresses:
                    problem = f"{problem.removesuffix('.')}; {address} was tried."
                return _FailedError(problem, _CAUSES[error.reason])
            case _:
                return _FailedError(str(error), "rejected")
