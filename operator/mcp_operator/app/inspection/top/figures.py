"""Rates and latencies, computed from two readings of the gateways' metrics. All pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from mcp_operator.core.meta import Key, Object

ERRORS: Final = frozenset({"backend_error", "unreachable", "timeout", "error"})
"""Outcomes of failed calls, caused by the server or its backends. The alerts count the same."""

CALLS: Final = "mcp_tool_calls_total"
BUCKETS: Final = "mcp_tool_call_duration_seconds_bucket"


@dataclass
class Counts:
    """The counters of one tool since a gateway started.

    Attributes:
        calls: The number of calls.
        errors: How many of them failed.
        buckets: How many calls took at most this many seconds.
    """

    calls: float = 0.0
    errors: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)

    def since(self, before: Counts) -> Counts:
        """Return the difference from an earlier reading; all counts if the gateway restarted."""
        if self.calls < before.calls:
            return self
        return Counts(
            self.calls - before.calls,
            self.errors - before.errors,
            {bound: count - before.buckets.get(bound, 0) for bound, count in self.buckets.items()},
        )

    def add(self, other: Counts) -> None:
        """Add the counts of another gateway or tool."""
        self.calls += other.calls
        self.errors += other.errors
        for bound, count in other.buckets.items():
            self.buckets[bound] = self.buckets.get(bound, 0) + count


@dataclass(frozen=True)
class PodReading:
    """The counters of one pod.

    Attributes:
        at: When they were read, in seconds of a monotonic clock.
        tools: The counters by tool.
    """

    at: float
    tools: Mapping[str, Counts]


@dataclass(frozen=True)
class Reading:
    """What was read at one time.

    Attributes:
        servers: The MCPServers.
        pods: The counters of their gateways, by server and by the pod's uid.
        notes: What could not be read, and why.
    """

    servers: Sequence[Object] = ()
    pods: Mapping[Key, Mapping[str, PodReading]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Figures:
    """Rates per second, and latencies; latencies are None if there were no calls."""

    calls: float
    errors: float
    p50: float | None
    p95: float | None


def counts_of(text: str) -> dict[str, Counts]:
    """Return the counters of each tool on a page of metrics.

    Args:
        text: The page, in Prometheus' text format.

    Raises:
        ValueError: It is not in that format.
    """
    tools: defaultdict[str, Counts] = defaultdict(Counts)
    wanted = "".join(f"{line}\n" for line in text.splitlines() if line.startswith((CALLS, BUCKETS)))
    for family in text_string_to_metric_families(wanted):
        for sample in family.samples:
            counts = tools[sample.labels.get("tool", "")]
            if sample.name == BUCKETS:
                bound = float(sample.labels["le"])
                counts.buckets[bound] = counts.buckets.get(bound, 0) + sample.value
            else:
                counts.calls += sample.value
                counts.errors += sample.value if sample.labels.get("outcome") in ERRORS else 0
    return dict(tools)


def tool_figures(
    before: Mapping[str, PodReading], after: Mapping[str, PodReading]
) -> tuple[Figures, dict[str, Figures]] | None:
    """Return the figures of a server, and of each of its tools that had calls.

    Args:
        before: An earlier reading of its pods, by uid.
        after: A later one. Pods that are not in both readings are ignored.

    Returns:
        None if no pod is in both readings, so that nothing is known.
    """
    rates: defaultdict[str, list[tuple[Counts, float]]] = defaultdict(list)
    known = [uid for uid in after if uid in before and after[uid].at > before[uid].at]
    for uid in known:
        seconds = after[uid].at - before[uid].at
        for tool, counts in after[uid].tools.items():
            new = counts.since(before[uid].tools.get(tool, Counts()))
            rates[tool].append((new, seconds))
    if not known:
        return None
    tools = {name: _figures(found) for name, found in rates.items()}
    whole = _figures([one for found in rates.values() for one in found])
    return whole, {name: one for name, one in tools.items() if one.calls > 0}


def _figures(found: Iterable[tuple[Counts, float]]) -> Figures:
    total, calls, errors = Counts(), 0.0, 0.0
    for counts, seconds in found:
        total.add(counts)
        calls += counts.calls / seconds
        errors += counts.errors / seconds
    return Figures(calls, errors, quantile(0.5, total.buckets), quantile(0.95, total.buckets))


def quantile(part: float, buckets: Mapping[float, float]) -> float | None:
    """Estimate a quantile as Prometheus' `histogram_quantile` does; None without calls.

    Args:
        part: The quantile, from 0 to 1.
        buckets: Cumulative counts, by upper bound in seconds.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if total <= 0:
        return None
    rank = part * total
    lower = (0.0, 0.0)
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return lower[0]
            within = (rank - lower[1]) / (buckets[bound] - lower[1])
            return lower[0] + (bound - lower[0]) * within
        lower = (bound, buckets[bound])
    return lower[0]
