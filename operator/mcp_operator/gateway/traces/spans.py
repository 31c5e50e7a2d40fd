"""Spans that follow the semantic conventions of OpenTelemetry for MCP, GenAI and HTTP clients.

No attribute contains a value from a client or a backend: no arguments, content, headers or error
messages. Names in a request are recorded only if the catalog has them. So there is no `url.full`,
`url.path` or `url.query`, which contain arguments, and a templated resource is recorded by its
template.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from mcp_operator.core.logs import bind
from mcp_operator.gateway.contract import TRACE_KEYS, TRACEPARENT
from mcp_operator.gateway.policy.audit import MAX_ID
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import Request
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.observer import Outcome
from mcp_operator.gateway.protocol.sessions import public_part
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.table import Current, Kind, Table
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls, Upstream, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request as BackendRequest
from mcp_operator.gateway.upstream.mapping import check_header
from mcp_operator.gateway.upstream.pool.head import FieldLine
from mcp_operator.gateway.upstream.reading import UNLIMITED, StreamLimits

Attributes = dict[str, AttributeValue]

_NAMES: Final[Mapping[Kind, str]] = {
    "tools": "gen_ai.tool.name",
    "prompts": "gen_ai.prompt.name",
    "resources": "mcp.resource.uri",
}
"""The attributes that hold the name of an entry."""

_VERSIONS: Final = frozenset(spec.MODERN_VERSIONS + spec.LEGACY_VERSIONS)
_W3C: Final = TraceContextTextMapPropagator()
_NOTHING: Final = Context()


class Traces:
    """Creates the recorders of traces for one gateway."""

    def __init__(self, tracer: trace.Tracer, close: Callable[[], Awaitable[None]]) -> None:
        """Set up.

        Args:
            tracer: Creates the spans.
            close: Exports the last spans.
        """
        self._tracer = tracer
        self.close = close

    def requests(self, current: Current) -> RequestTracer:
        """Return a recorder of MCP requests to the server that `current` holds."""
        return RequestTracer(self._tracer, current)

    def upstream(self, inner: Upstream) -> Upstream:
        """Return an upstream that records each request to a backend."""
        return TracedUpstream(self._tracer, inner)


class RequestTracer:
    """Records the server side of MCP requests; a `Tracer` of the protocol core."""

    def __init__(self, tracer: trace.Tracer, current: Current) -> None:
        self._tracer = tracer
        self._current = current

    def request(
        self, http: HttpRequest, request: Request, *, method: str, era: Era, version: str
    ) -> RequestTrace:
        """Start the span of a request. Until it ends, log lines of the request contain it."""
        attributes: Attributes = {
            "mcp.method.name": method,
            "jsonrpc.request.id": str(request.id)[:MAX_ID],
            "network.protocol.name": "http",
            "network.transport": "tcp",
        }
        version = version or http.headers.get(spec.VERSION_HEADER, "")
        if version in _VERSIONS:
            attributes["mcp.protocol.version"] = version
        if era is Era.LEGACY and spec.SESSION_HEADER in http.headers:
            attributes["mcp.session.id"] = public_part(http.headers[spec.SESSION_HEADER])
        target, named = _target(self._current.table, method, request.params)
        parent, links = _parents(http, request)
        name = f"{method} {target}" if target else method
        return RequestTrace(
            self._tracer.start_span(name, parent, SpanKind.SERVER, attributes | named, links)
        )


class RequestTrace:
    """The span of one MCP request; a `Trace` of the protocol core."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.handed_on: Mapping[str, str] = _carrier(span)
        context = span.get_span_context()
        self._fields = bind(
            trace_id=trace.format_trace_id(context.trace_id),
            span_id=trace.format_span_id(context.span_id),
        )
        self._fields.__enter__()

    def end(self, outcome: Outcome, code: int | None) -> None:
        """End the span."""
        if code is not None:
            self._span.set_attribute("rpc.response.status_code", str(code))
            _fail(self._span, str(code))
        elif outcome != "ok":
            _fail(self._span, outcome)
        self._span.end()
        self._fields.__exit__(None, None, None)


class TracedUpstream:
    """Records each request to a backend, and sends the trace context to the backend."""

    def __init__(self, tracer: trace.Tracer, inner: Upstream) -> None:
        self._tracer = tracer
        self._inner = inner

    async def send(
        self, request: BackendRequest, tls: Tls, max_bytes: int, stream: StreamLimits = UNLIMITED
    ) -> Answer:
        """Send a request; return a response of at most `max_bytes`, or the beginning of a stream.

        Raises:
            UpstreamError: There was no usable response.
        """
        span = self._started(request)
        headers = dict(check_header(name, value) for name, value in _carrier(span).items())
        try:
            traced = replace(request, headers={**request.headers, **headers})
            answer = await self._inner.send(traced, tls, max_bytes, stream)
        except UpstreamError as error:
            _fail(span, error.reason)
            raise
        except asyncio.CancelledError:
            late = stream.deadline is not None and _now() >= stream.deadline
            _fail(span, "timeout" if late else "cancelled")
            raise
        else:
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= HTTPStatus.BAD_REQUEST:
                _fail(span, str(answer.status))
        finally:
            span.end()
        return answer

    def _started(self, request: BackendRequest) -> Span:
        """Start a child span of the span whose context is in the headers."""
        attributes: Attributes = {
            "http.request.method": request.method,
            "server.address": request.host,
            "server.port": request.port,
            "url.scheme": request.scheme,
            "network.protocol.version": "1.1",
        }
        template = request.template.partition("?")[0]
        if template:
            attributes["url.template"] = template
        name = f"{request.method} {template}" if template else request.method
        headers = request.headers
        parent = _context({key: _value(headers[key]) for key in TRACE_KEYS if key in headers})
        return self._tracer.start_span(name, parent or _NOTHING, SpanKind.CLIENT, attributes)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _value(line: FieldLine) -> str:
    return line.decode("ascii").partition(":")[2].strip()


def _carrier(span: Span) -> dict[str, str]:
    """Return the headers with the trace context of a span."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span, _NOTHING))
    return carrier


def _context(said: Mapping[str, Any]) -> Context | None:
    """Return the trace context in a message or in HTTP headers; None if there is no valid one."""
    parent = said.get("traceparent")
    if not isinstance(parent, str) or not TRACEPARENT.fullmatch(parent):
        return None
    state = said.get("tracestate")
    carrier = {"traceparent": parent} | ({"tracestate": state} if isinstance(state, str) else {})
    return _W3C.extract(carrier, _NOTHING)


def _parents(http: HttpRequest, request: Request) -> tuple[Context, list[Link]]:
    """Return the parent context of a request, and links to other contexts.

    The context in the message takes precedence over that of the HTTP request (SEP-414), which then
    becomes a link.
    """
    meta = request.params.get("_meta")
    message = _context(meta) if isinstance(meta, dict) else None
    transport = _context(http.headers)
    if message is None:
        return transport or _NOTHING, []
    around = trace.get_current_span(transport or _NOTHING).get_span_context()
    is_other = around.is_valid and around != trace.get_current_span(message).get_span_context()
    return message, [Link(around)] if is_other else []


def _target(table: Table | None, method: str, params: Mapping[str, Any]) -> tuple[str, Attributes]:
    """Return the target for the span's name, and attributes for the entry in the catalog."""
    attributes: Attributes = {}
    if method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
    named = table.named(method, params) if table else None
    if named is None:
        return "", attributes
    attributes[_NAMES[named.kind]] = named.name
    return ("" if named.kind == "resources" else named.name), attributes


def _fail(span: Span, kind: str) -> None:
    """Record only the kind of a failure, because messages can quote what was sent."""
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
