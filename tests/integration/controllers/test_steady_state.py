"""A thousand unchanged objects: neither resyncs nor a restart cause writes."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any

from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.builders.labels import child_labels
from mcp_operator.builders.resources import SERVICES
from mcp_operator.core.meta import Resource, generation_of
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.namespace_cache import NamespaceCache, namespace_cache
from support.operators import LoggingClient, Sent, running_operator
from support.ready_pods import confirms, ready_pods
from support.shop import Shop

SERVERS = 25
OBJECTS = 39
"""Objects that each server selects or that belong to its team."""

SIDE_BY_SIDE = 16
"""How many requests users send at the same time."""

NONSENSE = {"type": "object", "properties": {"x": {"type": "nonsense"}}}
POLICY = {"mode": "Full"}
SPECS: dict[int, dict[str, Any]] = {
    0: {"mode": "Direct", "image": "example.com/mcp:1"},
    1: {"replicas": 0},
    2: {"redis": {"serviceName": "redis"}},
    3: {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}, "networkPolicy": POLICY},
    4: {"naming": {"onConflict": "RejectAll"}},
}
"""Additional fields of some servers. A foreign object has the name of the Service of server 5."""

PROGRAMMED = Counter(
    {"Programmed": SERVERS - 3, "NotReported": 1, "ScaledToZero": 1, "Conflict": 1}
)
READY = Counter(
    {
        "Ready": (OBJECTS - 5) * (SERVERS - 3) - 1,
        "NotReported": OBJECTS - 5,  # the image of server 0 does not report what it serves
        # Server 1 has zero replicas, and server 5 has a name conflict.
        "ScaledToZero": OBJECTS - 5,
        "ServerNotProgrammed": OBJECTS - 5,
        "InvalidSchema": SERVERS,
        "Disabled": SERVERS,
        "ServiceNotFound": SERVERS,
        "DuplicateName": SERVERS + 1,
        "NotSelected": SERVERS,
    }
)


class ThoroughClient(LoggingClient):
    """Logs requests for Events and Leases as well."""

    async def request(self, method: str, path: str, **options: Any) -> bytes:
        if "/events" in path or "/leases" in path:
            self.log.append(Sent(method, path))
        return await super().request(method, path, **options)


def servers(shop: Shop) -> Iterator[Awaitable[object]]:
    for number in range(SERVERS):
        spec = {"replicas": 1, **SPECS.get(number, {})}
        if "autoscaling" in spec:
            del spec["replicas"]
        everything = {"matchLabels": {"team": f"team-{number}"}}
        selectors = {"promptSelector": everything, "resourceSelector": everything}
        yield shop.server(f"server-{number}", f"team-{number}", **selectors, **spec)


def catalog_objects(shop: Shop) -> Iterator[Awaitable[object]]:
    nowhere = {"name": "nowhere", "port": 80}
    secret = {"credentials": {"type": "Bearer", "secretRef": {"name": "login", "key": "token"}}}
    texts = {"uri": "shop://terms", "configMapKeyRef": {"name": "texts", "key": "terms"}}
    for number in range(SERVERS):
        team = f"team-{number}"
        for which in range(OBJECTS - 7):
            yield shop.tool(f"{team}-{which}", team)
        yield shop.tool(f"{team}-broken", team, inputSchema=NONSENSE)
        yield shop.tool(f"{team}-disabled", team, enabled=False)
        yield shop.tool(f"{team}-nowhere", team, service=nowhere)
        yield shop.tool(f"{team}-twin", team, name=f"{team}-0", request=secret)
        yield shop.tool(f"{team}-alone", f"nobody-{number}")
        yield shop.prompt(f"{team}-prompt", team)
        yield shop.resource(f"{team}-terms", team, content=None, contentFrom=texts)


async def together(requests: Iterator[Awaitable[object]]) -> None:
    """Send requests, `SIDE_BY_SIDE` at a time."""

    async def send() -> None:
        for request in requests:
            await request

    async with asyncio.TaskGroup() as group:
        for _ in range(SIDE_BY_SIDE):
            group.create_task(send())


def reasons(cached: NamespaceCache, type_: str, *kinds: Resource) -> Counter[str]:
    """Count the reasons of a condition, in statuses that observed the current generation."""
    counted = Counter[str]()
    for obj in (obj for kind in kinds for obj in cached.list(kind)):
        status = obj.get("status") or {}
        current = status.get("observedGeneration") == generation_of(obj)
        for condition in status.get("conditions") or ():
            if current and condition["type"] == type_:
                counted[condition["reason"]] += 1
    return counted


async def converged(cached: NamespaceCache) -> None:
    def is_converged() -> bool:
        return (
            reasons(cached, "Programmed", MCPSERVERS) == PROGRAMMED
            and reasons(cached, "Ready", MCPTOOLS, MCPPROMPTS, MCPRESOURCES) == READY
        )

    try:
        await cached.until(is_converged)
    except TimeoutError:
        assert reasons(cached, "Programmed", MCPSERVERS) == PROGRAMMED
        assert reasons(cached, "Ready", MCPTOOLS, MCPPROMPTS, MCPRESOURCES) == READY


async def test_resyncs_and_a_restart_write_nothing(
    client: Client, control_plane: Cluster, shop: Shop
) -> None:
    kinds = (MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES)
    await shop.create("Secret", "login", stringData={"token": "x"})
    await shop.create("ConfigMap", "texts", data={"terms": "Pay first."})
    theirs = {"name": "mcp-server-server-5", "labels": child_labels("server-5", "Gateway")}
    service = {"metadata": theirs | {"namespace": shop.namespace}}
    await client.create(SERVICES, service | {"spec": {"ports": [{"port": 1}]}})

    operator = functools.partial(
        running_operator,
        control_plane.kubeconfig,
        shop.namespace,
        ask=confirms,
        through=ThoroughClient,
    )
    async with (
        ready_pods(client, shop.namespace),
        namespace_cache(client, shop.namespace, kinds) as cached,
    ):
        async with operator() as first:
            await together(servers(shop))
            await together(catalog_objects(shop))
            await converged(cached)
            await first.settled(shop.client)
            first.forget_requests()
            for _ in range(3):
                before = first.reconciliations()
                await first.resync()
                await first.settled(shop.client)
                assert first.reconciliations() - before >= SERVERS * (OBJECTS + 1)
            assert first.writes == []
            assert without_name_conflicts(first.reads) <= {"GET secrets/login"}
        async with operator() as second:
            await second.settled(shop.client)
            assert second.reconciliations() >= SERVERS * (OBJECTS + 1)
            assert second.writes == []
            read = without_name_conflicts(second.reads)
            assert read <= {"GET secrets/login", "GET configmaps/texts"}


def without_name_conflicts(reads: Iterable[str]) -> set[str]:
    """Leave out the reads for the server whose Service has a name conflict."""
    return {read for read in reads if "/mcp-server-server-5" not in read}
