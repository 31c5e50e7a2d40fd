"""Exports spans by OTLP over HTTP, from a thread of its own and a bounded queue.

A collector that is away, slow or full costs no call anything: the queue keeps the newest spans
(`OTEL_BSP_MAX_QUEUE_SIZE`, 2048), and the rest are lost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from mcp_operator.gateway.traces.setup import Service
from mcp_operator.gateway.traces.spans import Traces

log = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 2.0
"""How long the last spans may take to leave when a gateway stops."""

_UNNAMED: Final = "unknown_service"
"""How the SDK begins the name of a service that the environment does not name."""


def started(service: Service) -> Traces:
    """Start to export.

    Raises:
        ValueError: A variable of the environment has no valid value.
    """
    provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OneLine(OTLPSpanExporter())))

    async def close() -> None:
        # In a daemon thread: the interpreter would wait for one of a pool, however long it takes.
        thread = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, CLOSE_SECONDS)

    return Traces(provider.get_tracer("mcp_operator.gateway", service.version), close)


def _resource(service: Service) -> Resource:
    """Return what the spans come from; what the environment says of it wins."""
    given = Resource.create()
    own = {"service.namespace": service.namespace, "service.version": service.version}
    if str(given.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED):
        given = given.merge(Resource({SERVICE_NAME: service.name}))
    return Resource({name: value for name, value in own.items() if value}).merge(given)


class OneLine(SpanExporter):
    """An exporter that logs one line when exports begin to fail, and one when they work again.

    The SDK logs every attempt. Its lines are kept from the log; the last one is the reason.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._said = _LastLine()
        self._lost = 0
        theirs = logging.getLogger("opentelemetry")
        theirs.propagate = False
        theirs.handlers = [self._said]

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; called by one thread at a time."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                log.warning("Traces are lost: they cannot be exported", extra=self._said.reason())
            self._lost += len(spans)
        elif self._lost:
            log.info("Traces are exported again", extra={"lost": self._lost})
            self._lost = 0
        return result

    def shutdown(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait until everything is sent, in milliseconds."""
        return self._exporter.force_flush(timeout_millis)


class _LastLine(logging.Handler):
    """Keeps what was logged last."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.last = record.getMessage()

    def reason(self) -> dict[str, str]:
        return {"error": self.last} if self.last else {}
