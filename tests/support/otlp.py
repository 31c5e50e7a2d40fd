"""An OpenTelemetry collector that receives spans by OTLP over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.waiting import eventually


@dataclass(frozen=True)
class Received:
    """One span, its ids in hexadecimal."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    failed: bool
    attributes: dict[str, object]
    links: tuple[tuple[str, str], ...]
    resource: dict[str, object]


class Collector:
    """Stores the received spans.

    Attributes:
        raw: The body of every request.
        spans: Every span, in the order of arrival.
    """

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.spans: list[Received] = []

    async def take(self, request: web.BaseRequest) -> web.Response:
        if request.path != "/v1/traces":
            return web.Response(status=404)
        body = await request.read()
        self.raw.append(body)
        message = ExportTraceServiceRequest.FromString(body)
        for resource in message.resource_spans:
            about = _attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += (_received(span, about) for span in scope.spans)
        return web.Response(body=b"", content_type="application/x-protobuf")

    async def when(self, wanted: Callable[[Received], bool]) -> Received:
        """Wait for a span and return it."""

        async def came() -> bool:
            return any(map(wanted, self.spans))

        await eventually(came, expected=True)
        return next(filter(wanted, self.spans))

    async def named(self, name: str, trace_id: str = "") -> Received:
        """Wait for a span with a name, and optionally of a trace, and return it."""
        return await self.when(lambda span: span.name == name and trace_id in span.trace_id)

    def below(self, parent: Received) -> list[Received]:
        """Return the children of a span."""
        return [span for span in self.spans if span.parent_id == parent.span_id]


@asynccontextmanager
async def collecting(port: int = 0) -> AsyncIterator[tuple[str, Collector]]:
    """Run a collector; yield its endpoint and the collector."""
    collector = Collector()
    runner = web.ServerRunner(web.Server(collector.take))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", collector
    finally:
        await runner.cleanup()


def _received(span: Span, resource: dict[str, object]) -> Received:
    return Received(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        attributes=_attributes(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        resource=resource,
    )


def _attributes(pairs: Any) -> dict[str, object]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> object:
    kind = pair.value.WhichOneof("value")
    assert kind is not None, pair
    value: object = getattr(pair.value, kind)
    return value
