"""What both eras share: the table in service, its views, the operations, metrics and audit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, Self, TypeAlias

from mcp_operator.api.catalog import JsonObject, ServerSettings
from mcp_operator.core.clock import Clock
from mcp_operator.core.logs import failure
from mcp_operator.gateway.contract import TRACEPARENT, Executor, InputRequired
from mcp_operator.gateway.limits.errors import LimitedError
from mcp_operator.gateway.limits.limiter import Limiter
from mcp_operator.gateway.policy import audit
from mcp_operator.gateway.policy.principal import ANONYMOUS, Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.gate import Gate
from mcp_operator.gateway.protocol.jsonrpc import Request, RpcError
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.observer import Observer, Outcome
from mcp_operator.gateway.protocol.operations import Context, Operations, encoded_result
from mcp_operator.gateway.protocol.patience import Patience
from mcp_operator.gateway.protocol.polling import Poller
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.protocol.subscriptions import Hub
from mcp_operator.gateway.protocol.task_calls import Places, TaskCalls
from mcp_operator.gateway.protocol.tracer import Trace, Tracer
from mcp_operator.gateway.protocol.view import View, Views
from mcp_operator.gateway.redis.contract import HasLink
from mcp_operator.gateway.shares import digest_of
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.tasks.service import Tasks

log = logging.getLogger(__name__)

_Operation: TypeAlias = Callable[[Context], Awaitable[JsonObject | InputRequired]]

_NO_TRACE: Final[Mapping[str, str]] = MappingProxyType({})

STREAM_SECONDS: Final = 600.0
"""How long an authenticated client can keep a stream before it must authenticate again."""


class Span:
    """Measures one request, and reports its outcome when it ends.

    An error that is neither an `RpcError` nor a `Refusal` is logged and becomes -32603.

    Attributes:
        outcome: `cancelled` until the request ends in another way.
        response_bytes: The size of its result.
        waited: Seconds that it waited for its client, which do not count.
    """

    __slots__ = (
        *("_began", "_core", "_loop", "_trace", "_version", "call", "era", "method"),
        *("outcome", "response_bytes", "waited"),
    )

    def __init__(
        self, core: Core, era: Era, call: tuple[HttpRequest, Request], version: str
    ) -> None:
        _, request = self.call = call
        self._core = core
        self._loop = asyncio.get_running_loop()
        self.method = request.method if request.method in spec.METHODS else "other"
        self.era = era
        self.outcome: Outcome = "cancelled"
        self.response_bytes = 0
        self.waited = 0.0
        self._version = version
        self._trace: Trace | None = None

    @property
    def handed_on(self) -> Mapping[str, str]:
        """The trace context to forward to backends; empty if no traces are recorded."""
        return _NO_TRACE if self._trace is None else self._trace.handed_on

    def __enter__(self) -> Self:
        self._began = self._loop.time()
        if (tracer := self._core.tracer) is not None:
            http, request = self.call
            self._trace = tracer.request(
                http, request, method=self.method, era=self.era, version=self._version
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, RpcError):
            self.outcome = "rejected" if error.code == spec.OVERLOADED else "error"
        elif isinstance(error, Exception):
            self.outcome = "error"
        self._core.report(self, self._loop.time() - self._began - self.waited)
        unexpected = isinstance(error, Exception) and not isinstance(error, RpcError | Refusal)
        if unexpected:
            extra = {"method": self.method, "era": self.era, **failure(error)}
            log.error("A request failed unexpectedly", extra=extra)
        if self._trace is not None:
            self._trace.end(self.outcome, _code_of(error))
        if unexpected:
            raise RpcError(spec.INTERNAL_ERROR, "Internal error") from error


class Core:
    """The state that all requests of a gateway process share."""

    def __init__(
        self,
        current: Current,
        executor: Executor,
        observer: Observer,
        clock: Clock,
        redis: HasLink | None = None,
        *,
        alone: bool = True,
        tracer: Tracer | None = None,
    ) -> None:
        self.tracer = tracer
        self.hub = Hub(current)
        self.poller = Poller(current, self.hub, executor, self._sees)
        self.gate = Gate()
        self.patience = Patience()
        self._current = current
        self._views = Views()
        self._observer = observer
        self.audit = audit.Audit(current)
        self._clock = clock
        self._limiter = Limiter(current, redis)
        self.tasks = Tasks(
            current,
            executor,
            Places(current, self.gate, self._limiter),
            clock,
            redis,
            alone=alone,
            observer=observer,
            encoded=encoded_result,
        )
        self.task_calls = TaskCalls(self.tasks, current, self._limiter)
        operations = Operations(executor, observer, self.task_calls)
        self._operations: Mapping[str, _Operation] = {
            "tools/call": operations.call_tool,
            "prompts/get": operations.get_prompt,
            "resources/read": operations.read_resource,
            "completion/complete": operations.complete,
        }

    def _sees(self, principal: Principal, uri: str) -> bool:
        """Tell whether the resource of a URI is served to a client."""
        return self.view(Era.MODERN, principal).table.match(uri) is not None

    @property
    def server(self) -> ServerSettings:
        """The current settings of the server."""
        return self._current.server

    def view(self, era: Era, principal: Principal, revision: str = "") -> View:
        """Return what is served to a client now.

        Args:
            era: The wire format that the client uses.
            principal: The client.
            revision: The client's protocol version; defaults to the newest one of the era.

        Raises:
            RpcError: 503, no catalog has been loaded yet.
            Refusal: The client was not authenticated, but the table that is now in service
                requires it.
        """
        if self._current.table is None:
            raise RpcError(
                spec.OVERLOADED,
                "This server has not loaded its catalog yet; try again",
                status=503,
                retry_after=1,
            )
        table = self._current.table
        if table.catalog.server.auth is not None and principal is ANONYMOUS:
            problem = "This server now authenticates its clients; try again"
            raise Refusal("unavailable", problem)
        return self._views.of(table, era, principal, revision)

    def stream_end(self, principal: Principal) -> float | None:
        """Return when a client must reopen a stream, in the loop's time; None for never."""
        if principal is ANONYMOUS:
            return None
        seconds = STREAM_SECONDS
        if principal.expires is not None:
            seconds = min(seconds, principal.expires - self._clock.now().timestamp())
        return asyncio.get_running_loop().time() + seconds

    def is_operation(self, method: str) -> bool:
        """Tell whether a method is an operation: one that both eras share and that can wait."""
        return method in self._operations

    async def operate(self, method: str, context: Context) -> JsonObject | InputRequired:
        """Run an operation until it has a result, or needs the client's input.

        Raises:
            KeyError: The method is not an operation.
            RpcError: The operation refuses, or a limit is reached.
        """
        operation = self._operations[method]
        server, client = context.view.table.catalog.server, digest_of(context.http.client)
        each = server.max_concurrent_requests_per_client
        with self.gate.enter(server.max_concurrent_requests, client, each):
            if self._limiter.plan is None:
                return await operation(context)
            return await self._limited(operation, method, context)

    async def _limited(
        self, operation: _Operation, method: str, context: Context
    ) -> JsonObject | InputRequired:
        """Run an operation if it is within the limits on calls."""
        named = self._limiter.named(context.view.table, method, context.params)
        with self._told_of_limits():
            async with self._limiter.admitted(named, context.http.client):
                return await operation(context)

    async def serve_task(self, method: str, params: JsonObject, http: HttpRequest) -> JsonObject:
        """Handle one of the methods for tasks.

        Raises:
            RpcError: The method refuses, or the client's limit is reached.
        """
        view = self.view(Era.MODERN, http.principal)
        with self._told_of_limits():
            result = await self.task_calls.serve(method, params, view, http)
        return {**result, "resultType": "complete", "_meta": view.meta}

    @contextmanager
    def _told_of_limits(self) -> Iterator[None]:
        """Turn an exceeded limit into a JSON-RPC error."""
        try:
            yield
        except LimitedError as error:
            self._observer.limited(error.limit)
            raise RpcError(
                spec.OVERLOADED, str(error), status=error.status, retry_after=error.retry_after
            ) from None

    def span(self, era: Era, http: HttpRequest, request: Request, version: str = "") -> Span:
        """Return a span that measures one request and reports its outcome.

        Args:
            era: The wire format of the request.
            http: The HTTP request that carried it.
            request: The request.
            version: The protocol version of its session; empty if it has no session.
        """
        return Span(self, era, (http, request), version)

    def report(self, span: Span, seconds: float) -> None:
        """Record how a request ended."""
        self._observer.request(span.method, span.era, span.outcome, seconds)
        if self.audit.wants(span.method, span.outcome):
            self.audit.call(_audited(*span.call, span, seconds))


def _code_of(error: BaseException | None) -> int | None:
    """Return the code of the JSON-RPC error that the client gets, or None."""
    match error:
        case RpcError(code=code):
            return code
        case Refusal():
            return spec.REFUSED
        case Exception():
            return spec.INTERNAL_ERROR
        case _:
            return None


def _audited(http: HttpRequest, request: Request, span: Span, seconds: float) -> audit.Call:
    trace = http.headers.get("traceparent", "")
    return audit.Call(
        principal=http.principal,
        method=request.method,
        params=request.params,
        request_id=request.id,
        outcome=span.outcome,
        seconds=seconds,
        request_bytes=len(http.body),
        response_bytes=span.response_bytes,
        trace=trace if TRACEPARENT.fullmatch(trace) else "",
    )


def outcome_of(result: JsonObject) -> Outcome:
    """Distinguish a tool's failure from success."""
    return "tool_error" if result.get("isError") else "ok"
