"""Formats two readings for a terminal. All pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from mcp_operator.app.inspection.settings import Order
from mcp_operator.app.inspection.tables import printable, table
from mcp_operator.app.inspection.top.figures import Figures, Reading, tool_figures
from mcp_operator.core.meta import Key, Object, key_of

UNKNOWN: Final = "-"

SERVERS: Final = (
    "SERVER",
    "READY",
    "SYNCED",
    "TOOLS",
    "CALLS/S",
    "ERRORS/S",
    "P50",
    "P95",
    "STATE",
)
TOOLS: Final = ("TOOL", "SERVER", "CALLS/S", "ERRORS/S", "P50", "P95")


class Row(NamedTuple):
    """One server, or one tool of a server.

    Attributes:
        name: The name of the server or the tool.
        server: The server.
        tools: The number of its tools; 0 for a tool.
        figures: The figures; None if they are unknown.
        status: The server's status; empty for a tool.
    """

    name: str
    server: Key
    tools: int
    figures: Figures | None
    status: Object


def rows(before: Reading, after: Reading) -> tuple[list[Row], list[Row]]:
    """Return a row for each server, and one for each tool with calls between two readings."""
    servers, tools = [], []
    for server in after.servers:
        key, status = key_of(server), server.get("status") or {}
        found = tool_figures(before.pods.get(key, {}), after.pods.get(key, {}))
        count = int(status.get("toolCount", 0))
        servers.append(Row(key.name, key, count, found[0] if found else None, status))
        for name, figures in (found[1] if found else {}).items():
            tools.append(Row(name, key, 0, figures, {}))
    return servers, tools


def ordered(found: Sequence[Row], order: Order) -> list[Row]:
    """Sort rows. Equal rows are sorted by name, and unknown figures come last."""
    measures: dict[Order, Callable[[Row], float]] = {
        "calls": lambda row: row.figures.calls if row.figures else -1,
        "errors": lambda row: row.figures.errors if row.figures else -1,
        "latency": lambda row: (row.figures.p95 or 0) if row.figures else -1,
        "name": lambda _: 0,
        "tools": lambda row: row.tools,
    }
    return sorted(found, key=lambda row: (-measures[order](row), row.server, row.name))


def screen(before: Reading, after: Reading, *, namespace: str, order: Order) -> Iterator[str]:
    """Yield all lines: a summary, what could not be read, the servers, the tools.

    Args:
        before: The earlier reading.
        after: The later one.
        namespace: The namespace of the servers; empty for all, which are then shown.
        order: The order of servers and of tools.
    """
    servers, tools = rows(before, after)
    yield _summary(servers, namespace)
    yield from (printable(f"! {note}") for note in after.notes)
    if servers:
        yield ""
        shown = [_server(row, qualified=not namespace) for row in ordered(servers, order)]
        yield from table(SERVERS, shown)
    if tools:
        yield ""
        shown = [_tool(row, qualified=not namespace) for row in ordered(tools, order)]
        yield from table(TOOLS, shown)


def _summary(servers: Sequence[Row], namespace: str) -> str:
    known = [row.figures for row in servers if row.figures]
    tools = sum(row.tools for row in servers)
    where = f"namespace {namespace}" if namespace else "all namespaces"
    told = f"{where}: {_counted(len(servers), 'server')}, {_counted(tools, 'tool')}"
    if not known:
        return told
    calls, errors = sum(one.calls for one in known), sum(one.errors for one in known)
    return f"{told}, {calls:.1f} calls/s, {errors:.1f} errors/s"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _server(row: Row, *, qualified: bool) -> tuple[str, ...]:
    status = row.status
    ready = int(status.get("readyReplicas", 0))
    gateway = status.get("mode") != "Direct"
    return (
        str(row.server) if qualified else row.name,
        f"{ready}/{status.get('replicas', 0)}",
        f"{status.get('syncedReplicas', 0)}/{ready}" if gateway else UNKNOWN,
        str(row.tools),
        *_measured(row.figures),
        _state(status),
    )


def _tool(row: Row, *, qualified: bool) -> tuple[str, ...]:
    return (row.name, str(row.server) if qualified else row.server.name, *_measured(row.figures))


def _measured(figures: Figures | None) -> tuple[str, str, str, str]:
    if figures is None:
        return (UNKNOWN,) * 4
    return (
        f"{figures.calls:.1f}",
        f"{figures.errors:.1f}",
        duration(figures.p50),
        duration(figures.p95),
    )


def duration(seconds: float | None) -> str:
    """Format a latency with two significant digits; `-` for None."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        milliseconds = seconds * 1000
        return f"{milliseconds:.0f}ms" if milliseconds >= 10 else f"{milliseconds:.1f}ms"  # noqa: PLR2004 - digits
    return f"{seconds:.1f}s"


def _state(status: Object) -> str:
    """Return `Ready` or the reason why a server is not ready, and the reason if it is Degraded."""
    conditions = {one.get("type"): one for one in status.get("conditions") or ()}
    ready = conditions.get("Ready")
    if ready is None:
        return "not seen by an operator"
    told = "Ready" if ready.get("status") == "True" else f"not ready: {ready.get('reason')}"
    degraded = conditions.get("Degraded") or {}
    if degraded.get("status") == "True":
        told += f", degraded: {degraded.get('reason')}"
    return told
