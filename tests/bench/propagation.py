"""Measures how fast a change of a tool reaches the ConfigMap that gateways watch, and its cost.

The operator is a separate process; another process watches both ends and measures the times. "See"
is when that process sees the event of the tool, which is about when the operator sees it. The floor
is the same without an operator: on the event, a client applies a ConfigMap of the same size at
once, server-side like the operator.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.in_cluster import Account
from bench.workload import converged, create_workload
from mcp_operator.api.v1alpha1 import MCPTOOLS
from mcp_operator.builders.names import config_name
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.core.meta import Resource
from mcp_operator.runtime.client import Client
from support.connected import connected, own_namespace
from support.operator_process import OperatorProcess
from support.shop import Shop

ROUND = 20
"""Changes of one kind before those of the next, so that a server never has dozens of additional
tools."""


@dataclass(frozen=True)
class Figures:
    """One row: medians in milliseconds, writes and CPU per change.

    `reads` are those of a whole series. A change causes none; twice a minute, the operator checks
    for kinds that are not installed, such as those of the Gateway API.
    """

    name: str
    changes: int
    sent_to_config: float
    sent_to_config_p99: float
    seen_to_config: float
    writes: float
    reads: int
    cpu_ms: float


def table(rows: Sequence[Figures]) -> str:
    """Return the rows as text, with their difference to the floor."""
    floor = rows[-1]
    head = "  change                  n  sent→config      p99  seen→config   over floor  writes"
    lines = [f"{head}  reads      CPU"]
    for row in rows:
        over = row.sent_to_config - floor.sent_to_config
        lines.append(
            f"  {row.name:<20} {row.changes:>4} {row.sent_to_config:>9.1f} ms "
            f"{row.sent_to_config_p99:>5.0f} ms {row.seen_to_config:>9.1f} ms {over:>8.1f} ms "
            f"{row.writes:>7.2f} {row.reads:>6} {row.cpu_ms:>5.1f} ms"
        )
    return "\n".join(lines)


@dataclass
class Tally:
    """The measurements of one kind of change."""

    from_sent: list[float] = field(default_factory=list)
    from_seen: list[float] = field(default_factory=list)
    writes: int = 0
    reads: int = 0
    cpu_seconds: float = 0.0

    def figures(self, name: str) -> Figures:
        changes = len(self.from_sent)
        return Figures(
            name,
            changes,
            statistics.median(self.from_sent),
            sorted(self.from_sent)[int(changes * 0.99)],
            statistics.median(self.from_seen),
            self.writes / changes,
            self.reads,
            self.cpu_seconds * 1000 / changes,
        )


class Witness:
    """Watches tools and ConfigMaps, and records when each new version is seen."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._waiting: dict[tuple[str, str], asyncio.Future[float]] = {}

    async def follow(self, resource: Resource) -> None:
        version = ""
        async for page in self._client.list_pages(resource, namespace=self._namespace):
            version = page.resource_version
        async for event in self._client.watch(
            resource, namespace=self._namespace, resource_version=version
        ):
            if event.type != "BOOKMARK":
                name = event.object["metadata"]["name"]
                waiting = self._waiting.pop((resource.kind, name), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(time.perf_counter())

    def next(self, resource: Resource, name: str) -> asyncio.Future[float]:
        """Wait for the next event of an object, and return its time."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[resource.kind, name] = future
        return future


async def measure(
    kubeconfig: Path, servers: int, tools: int, changes: int
) -> tuple[list[Figures], float]:
    """Measure updates, creations and deletions at one size, and the memory."""
    async with (
        connected(kubeconfig) as client,
        own_namespace(client, f"bench-{servers}x{tools}-{os.getpid()}") as shop,
        Account(client, kubeconfig, shop.namespace) as account,
    ):
        await create_workload(shop, servers, tools)
        operator = account.operator()
        try:
            await operator.ready()
            await converged(client, shop.namespace, tools)
            await operator.quiet()
            rss_mb = operator.rss_mb()
            rows = await _changes(operator, client, shop, servers, changes)
        finally:
            operator.stop()
        size = len(json.dumps(await shop.get("ConfigMap", config_name("team-0"))))
        rows.append(await _floor(client, shop, changes, size))
    return rows, rss_mb


async def _changes(
    operator: OperatorProcess, client: Client, shop: Shop, servers: int, changes: int
) -> list[Figures]:
    witness = Witness(client, shop.namespace)
    following = [asyncio.create_task(witness.follow(r)) for r in (MCPTOOLS, CONFIGMAPS)]
    await asyncio.sleep(0.5)  # until both watches are established
    try:
        kinds = {kind: Tally() for kind in _kinds_of_change(shop)}
        for start in range(0, changes, ROUND):
            numbers = range(start, min(start + ROUND, changes))
            for kind, tally in kinds.items():
                await _round(
                    operator, witness, kind, tally, [(f"team-{n % servers}", n) for n in numbers]
                )
        return [tally.figures(kind.name) for kind, tally in kinds.items()]
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


@dataclass(frozen=True)
class Kind:
    """A kind of change: an action on a tool."""

    name: str
    change: Callable[[str, int], Awaitable[object]]
    tool_of: Callable[[str, int], str]


def _kinds_of_change(shop: Shop) -> list[Kind]:
    def update(tool: str, number: int) -> Awaitable[object]:
        return shop.patch("MCPTool", tool, spec={"description": f"version {number}"})

    def create(tool: str, number: int) -> Awaitable[object]:
        return shop.tool(tool, tool.partition("-new-")[0])

    def delete(tool: str, number: int) -> Awaitable[object]:
        return shop.delete("MCPTool", tool)

    return [
        Kind("update", update, lambda team, _: f"{team}-tool-0"),
        Kind("create", create, lambda team, number: f"{team}-new-{number}"),
        Kind("delete", delete, lambda team, number: f"{team}-new-{number}"),
    ]


async def _round(
    operator: OperatorProcess,
    witness: Witness,
    kind: Kind,
    tally: Tally,
    teams: Sequence[tuple[str, int]],
) -> None:
    """Measure one change for each of the numbered teams."""
    before, cpu = await operator.quiet(), operator.cpu_seconds()
    for team, number in teams:
        tool = kind.tool_of(team, number)
        seen, applied = witness.next(MCPTOOLS, tool), witness.next(CONFIGMAPS, config_name(team))
        sent = time.perf_counter()
        await kind.change(tool, number)
        async with asyncio.timeout(10):
            tally.from_sent.append((await applied - sent) * 1000)
            tally.from_seen.append((await applied - await seen) * 1000)
        await asyncio.sleep(
            0.05
        )  # statuses follow; the operator must be idle before the next change
    tally.cpu_seconds += operator.cpu_seconds() - cpu
    sent_since = await operator.quiet()
    sent_since.subtract(before)
    tally.reads += sent_since["GET"]
    tally.writes += sent_since.total() - sent_since["GET"]


async def _floor(client: Client, shop: Shop, changes: int, size: int) -> Figures:
    """Measure the time without an operator: event, apply of a ConfigMap, event."""
    tool = "team-0-tool-0"  # the updated tool, with the status of the operator
    metadata = {"name": "floor", "namespace": shop.namespace}
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    await client.apply(CONFIGMAPS, head | {"data": {"n": "0", "ballast": "x" * size}})
    witness = Witness(client, shop.namespace)
    following = [asyncio.create_task(witness.follow(r)) for r in (MCPTOOLS, CONFIGMAPS)]
    await asyncio.sleep(0.5)
    from_sent, from_seen = [], []
    for number in range(changes):
        seen, applied = witness.next(MCPTOOLS, tool), witness.next(CONFIGMAPS, "floor")
        sent = time.perf_counter()
        await shop.patch("MCPTool", tool, spec={"description": f"floor {number}"})
        at = await seen
        data = {"n": str(number + 1), "ballast": "x" * size}
        await client.apply(CONFIGMAPS, head | {"data": data})
        from_sent.append((await applied - sent) * 1000)
        from_seen.append((await applied - at) * 1000)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    return Tally(from_sent, from_seen, writes=changes).figures("floor (no operator)")
