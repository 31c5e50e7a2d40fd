"""The metrics of a gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mcp_operator.core.metrics import add_build_info
from mcp_operator.gateway.limits.errors import Limit
from mcp_operator.gateway.protocol.observer import (
    Authenticated,
    Outcome,
    TaskEvent,
    ToolOutcome,
)
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.table import Changes, Current
from mcp_operator.version import VERSION

SECONDS_BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""From a list served from memory to the longest common timeout."""

TASK_BUCKETS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 24 * 3600.0)
"""From the time that a client would wait for a call, to a day."""


class GatewayMetrics:
    """The metrics of one gateway; an `Observer` of its endpoint.

    Tool names are label values only while the tools are in the catalog, so the catalog limits the
    number of series.
    """

    def __init__(self, registry: CollectorRegistry, current: Current) -> None:
        self._current = current
        add_build_info(registry, "mcp_gateway", VERSION)
        self._requests = Counter(
            "mcp_requests_total",
            "MCP requests, by method, era and outcome.",
            ("method", "era", "outcome"),
            registry=registry,
        )
        self._durations = Histogram(
            "mcp_request_duration_seconds",
            "Time from a complete MCP request to its answer.",
            ("method", "era"),
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self._authentications = Counter(
            "mcp_authentications_total",
            "Requests to a server that authenticates its clients, by outcome.",
            ("outcome",),
            registry=registry,
        )
        self._outcomes: dict[Authenticated, Counter] = {}
        limited = Counter(
            "mcp_limited_calls_total",
            "Calls refused by a limit, by limit.",
            ("limit",),
            registry=registry,
        )
        # Start at zero, because `rate` misses the first increment of a series that starts at one.
        self._limited: dict[Limit, Counter] = {
            limit: limited.labels(limit) for limit in get_args(Limit)
        }
        self._calls = Counter(
            "mcp_tool_calls_total",
            "Tool calls, by tool and outcome.",
            ("tool", "outcome"),
            registry=registry,
        )
        self._call_durations = Histogram(
            "mcp_tool_call_duration_seconds",
            "Duration of tool calls, by tool.",
            ("tool",),
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        tasks = Counter(
            "mcp_tasks_total",
            "Tasks that were created, and tasks that ended, by how.",
            ("status",),
            registry=registry,
        )
        self._tasks: dict[TaskEvent, Counter] = {
            event: tasks.labels(event) for event in get_args(TaskEvent)
        }
        self._task_durations = Histogram(
            "mcp_task_duration_seconds",
            "Time from the creation of a task to its end, by how it ended.",
            ("status",),
            buckets=TASK_BUCKETS,
            registry=registry,
        )
        self._info = Gauge(
            "mcp_catalog_info", "1 for the catalog in service.", ("digest",), registry=registry
        )
        self._entries = Gauge(
            "mcp_catalog_entries",
            "Entries of the catalog in service, by kind; `rejected` ones are not served.",
            ("kind",),
            registry=registry,
        )
        self._loaded_at = Gauge(
            "mcp_catalog_loaded_timestamp_seconds",
            "Unix time when the catalog in service was loaded.",
            registry=registry,
        )
        self._registry = registry
        self._children: dict[tuple[str, Era, Outcome], tuple[Counter, Histogram]] = {}
        self._tools: dict[tuple[str, ToolOutcome], tuple[Counter, Histogram]] = {}
        self._loaded(Changes())  # `serve` reads its files before it sets up a gateway
        current.subscribe(self._loaded)

    def watch(
        self,
        open_streams: Callable[[], float],
        in_flight: Callable[[], float],
        connections: Callable[[], float],
        asking: Callable[[], float],
        tasks: Callable[[], float],
    ) -> None:
        """Expose values that are read at each scrape."""
        Gauge(
            "mcp_open_connections",
            "Open client connections.",
            registry=self._registry,
        ).set_function(connections)
        Gauge("mcp_open_streams", "Open event streams.", registry=self._registry).set_function(
            open_streams
        )
        Gauge(
            "mcp_requests_in_flight", "Requests waiting for backends.", registry=self._registry
        ).set_function(in_flight)
        Gauge(
            "mcp_calls_asking",
            "Calls of sessions that wait for input of their clients.",
            registry=self._registry,
        ).set_function(asking)

        Gauge(
            "mcp_tasks_in_progress",
            "Tasks for which a backend is called or polled at this moment.",
            registry=self._registry,
        ).set_function(tasks)

    def watch_certificate(self, expires: Callable[[], float]) -> None:
        """Expose when the certificate of the MCP port expires, in Unix seconds."""
        Gauge(
            "mcp_certificate_expiry_timestamp_seconds",
            "Unix time when the certificate of the MCP port expires.",
            registry=self._registry,
        ).set_function(expires)

    def request(self, method: str, era: Era, outcome: Outcome, seconds: float) -> None:
        """Count an MCP request."""
        children = self._children.get((method, era, outcome))
        if children is None:  # cached: looking up children costs six times as much as an increment
            count = self._requests.labels(method, era.value, outcome)
            children = count, self._durations.labels(method, era.value)
            self._children[method, era, outcome] = children
        count, duration = children
        count.inc()
        duration.observe(seconds)

    def authentication(self, outcome: Authenticated) -> None:
        """Count an attempt to authenticate, by outcome."""
        count = self._outcomes.get(outcome)
        if count is None:  # see `request`
            count = self._outcomes[outcome] = self._authentications.labels(outcome)
        count.inc()

    def limited(self, limit: Limit) -> None:
        """Count a call that was refused by a limit."""
        self._limited[limit].inc()

    def tool(self, name: str, outcome: ToolOutcome, seconds: float) -> None:
        """Count a tool call, unless the tool has left the catalog in the meantime."""
        table = self._current.table
        if table is None or name not in table.tools:
            return
        children = self._tools.get((name, outcome))
        if children is None:  # see `request`
            children = self._calls.labels(name, outcome), self._call_durations.labels(name)
            self._tools[name, outcome] = children
        count, duration = children
        count.inc()
        duration.observe(seconds)

    def task(self, event: TaskEvent, seconds: float | None = None) -> None:
        """Count a new task, or a task that has ended after some seconds."""
        self._tasks[event].inc()
        if seconds is not None:
            self._task_durations.labels(event).observe(seconds)

    def _loaded(self, _: Changes) -> None:
        table, loaded_at = self._current.table, self._current.loaded_at
        if table is None or loaded_at is None:
            return
        self._info.clear()
        self._info.labels(table.digest).set(1)
        self._loaded_at.set(loaded_at.timestamp())
        for kind, entries in (
            ("tool", table.tools),
            ("prompt", table.prompts),
            ("resource", table.resources),
            ("template", table.templates),
            ("rejected", table.rejected),
        ):
            self._entries.labels(kind).set(len(entries))
        for name, outcome in [each for each in self._tools if each[0] not in table.tools]:
            del self._tools[name, outcome]
            self._calls.remove_by_labels({"tool": name})
            self._call_durations.remove_by_labels({"tool": name})
