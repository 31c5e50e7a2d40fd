"""The executor: one tool call or resource read, from checked arguments to MCP content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from mcp_operator.api.catalog import Backend, JsonObject, ResourceEntry, ToolEntry
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.contract import Call, ResourceUnavailable, ToolResult
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream import content
from mcp_operator.gateway.upstream.bulkhead import Bulkheads, BusyError
from mcp_operator.gateway.upstream.client import Upstream, UpstreamError
from mcp_operator.gateway.upstream.content import Answer
from mcp_operator.gateway.upstream.mapping import MappingError, build_request
from mcp_operator.gateway.upstream.outgoing import complete, tls_of
from mcp_operator.gateway.upstream.secret_values import SecretSource, SecretUnavailable

log = logging.getLogger(__name__)

CREDENTIAL_REFUSED = frozenset({401, 403})
"""Statuses after which the Secrets of a call are read again before their next use."""


class _FailedError(OperatorError):
    """The call gave nothing usable; the sentence is fit for clients."""


class HttpExecutor:
    """`Executor` over HTTP: a bulkhead per backend, a deadline per call, no retries.

    A call is never repeated here: nobody can tell whether the backend acted on the first try.
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
            secrets: Gives the values of Secret keys.
            name_addresses: Whether a client is told the address that could not be used. Clients of
                a cluster are not: they have no business with its inside.
        """
        self._current = current
        self._upstream = upstream
        self._secrets = secrets
        self._name_addresses = name_addresses
        self._bulkheads = Bulkheads()

    async def call_tool(self, tool: ToolEntry, arguments: JsonObject, call: Call) -> ToolResult:
        """Call a tool; whatever the backend does is in the result.

        The caller has checked the arguments against the input schema.
        """
        try:
            answer = await self._exchange(tool.name, tool.backend, arguments, call)
        except (MappingError, _FailedError) as error:
            return content.error_result(str(error))
        table = self._current.table

        def output_errors(value: object) -> list[str]:
            return table.output_errors(tool.name, value) if table else []

        return content.tool_result(tool, answer, output_errors)

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: Mapping[str, str], call: Call
    ) -> tuple[JsonObject, ...]:
        """Read a resource from the catalog, a Secret or its backend.

        Raises:
            ResourceUnavailable: The backend or the Secret did not give the content.
        """
        if entry.backend is not None:
            try:
                answer = await self._exchange(entry.name, entry.backend, dict(variables), call)
            except (MappingError, _FailedError) as error:
                raise ResourceUnavailable(str(error)) from error
            return content.resource_contents(answer, uri, entry.mime_type)
        if entry.secret is not None:
            try:
                value = await self._secrets.value(entry.secret)
            except SecretUnavailable as error:
                log.warning("A resource's Secret is unavailable", extra={"error": str(error)})
                raise ResourceUnavailable("the content of this resource is unavailable") from error
            return content.resource_contents(
                Answer(200, entry.mime_type, value), uri, entry.mime_type
            )
        return content.fixed_contents(uri, entry.mime_type, text=entry.text, blob=entry.blob)

    async def _exchange(
        self, name: str, backend: Backend, arguments: JsonObject, call: Call
    ) -> Answer:
        """Build, send and read, within the deadline and the backend's bulkhead.

        Raises:
            MappingError: The arguments make no valid request.
            _FailedError: Anything else went wrong.
        """
        request = build_request(backend, arguments)
        server = self._current.server
        timeout = backend.timeout_seconds or server.request_timeout_seconds
        deadline = asyncio.get_running_loop().time() + timeout
        if call.deadline is not None:
            deadline = min(deadline, call.deadline)
        slot = self._bulkheads.slot(backend.host, backend.port, server.max_concurrent_requests)
        try:
            async with asyncio.timeout_at(deadline), slot:
                request, used = await complete(request, backend, call, self._secrets)
                tls = await tls_of(backend, self._secrets)
                limit = backend.max_response_bytes or server.max_response_bytes
                answer = await self._upstream.send(request, tls, limit)
        except (TimeoutError, UpstreamError, BusyError, SecretUnavailable) as error:
            raise self._failure(name, backend, error) from error
        if answer.status in CREDENTIAL_REFUSED:
            for key in used.keys:
                self._secrets.distrust(key)
        return used.redact(answer)

    def _failure(self, name: str, backend: Backend, error: Exception) -> _FailedError:
        """Log what happened, and say as much of it as a client may know."""
        address = error.address if isinstance(error, UpstreamError) else ""
        log.info(
            "A call to a backend failed",
            extra={
                "entry": name,
                "backend": f"{backend.host}:{backend.port}",
                "error": str(error) or type(error).__name__,
                **({"address": address} if address else {}),
            },
        )
        match error:
            case TimeoutError():
                return _FailedError("The backend did not answer in time; the call was given up.")
            case SecretUnavailable():
                return _FailedError(
                    "The credentials for the backend are unavailable; this server's log says which."
                )
            case UpstreamError() if address and self._name_addresses:
                return _FailedError(f"{str(error).removesuffix('.')}; {address} was tried.")
            case _:
                return _FailedError(str(error))
