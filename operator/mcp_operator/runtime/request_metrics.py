"""Measures requests to one API server, with the label sets at hand."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from mcp_operator.core.metrics import RuntimeMetrics

_METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE")


class RequestMetrics:
    """The `rest_client_*` families for one host."""

    def __init__(self, metrics: RuntimeMetrics, host: str) -> None:
        self._metrics = metrics
        self._host = host
        self._requests: dict[tuple[int, str], Counter] = {}
        self._durations = {m: metrics.request_duration.labels(m, host) for m in _METHODS}
        self._waits = {m: metrics.rate_limiter_duration.labels(m, host) for m in _METHODS}

    def waited(self, method: str, seconds: float) -> None:
        """Record how long a request waited for its slot."""
        self._waits[method].observe(seconds)

    def answered(self, method: str, status: int, seconds: float) -> None:
        """Record an answer, and the time until its head came."""
        self._durations[method].observe(seconds)
        counter = self._requests.get((status, method))
        if counter is None:
            counter = self._metrics.requests.labels(_code(status), method, self._host)
            self._requests[status, method] = counter
        counter.inc()

    def retried(self, method: str, status: int) -> None:
        """Record that a request is sent again."""
        self._metrics.request_retries.labels(_code(status), method, self._host).inc()


def _code(status: int) -> str:
    """Name a request without an answer as client-go does."""
    return str(status) if status else "<error>"
