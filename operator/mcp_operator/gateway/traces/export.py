"""Exports spans with OTLP over HTTP, from a separate thread and a bounded queue.

A collector that is unavailable, slow or full does not delay calls. The queue keeps the newest spans
(`OTEL_BSP_MAX_QUEUE_SIZE`, 2048), and the others are lost.
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
"""How long a gateway waits for the last spans to be sent when it stops."""

_UNNAMED: Final = "unknown_service"
"""Prefix of the SDK's default name for a service without a configured name."""


def started(service: Service) -> Traces:
    """Start to export spans.

    Raises:
        ValueError: An environment variable has an invalid value.
    """
    provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OneLine(OTLPSpanExporter())))

    async def close() -> None:
        # A daemon thread, because the interpreter waits for the threads of pools without limit.
        thread = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, CLOSE_SECONDS)

    return Traces(provider.get_tracer("mcp_operator.gateway", service.version), close)


def _resource(service: Service) -> Resource:
    """Return the resource of the spans; attributes from the environment take precedence."""
    given = Resource.create()
    own = {"service.namespace": service.namespace, "service.version": service.version}
    if str(given.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED):
        given = given.merge(Resource({SERVICE_NAME: service.name}))
    return Resource({name: value for name, value in own.items() if value}).merge(given)


class OneLine(SpanExporter):
    """An exporter that logs only when exports start to fail, and when they work again.

    The SDK logs every attempt. Its log lines are suppressed; the last one becomes the reason.
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
        """Wait until everything is sent, for at most this many milliseconds."""
        return self._exporter.force_flush(timeout_millis)


class _LastLine(logging.Handler):
    """Stores the last warning or error."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.last = record.getMessage()

    def reason(self) -> dict[str, str]:
        return {"error": self.last} if self.last else {}
