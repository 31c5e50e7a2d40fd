"""Pods are replaced and scaled under traffic without a failed call."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.resources import DEPLOYMENTS
from mcp_operator.controllers.pod_client import http_ask
from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.kubelet import Kubelet
from support.operators import running_operator
from support.shop import Shop
from support.traffic import traffic
from support.waiting import eventually

CLIENTS = 8
SLOW_EVERY = 50
SLOW_SECONDS = 3.0
"""Every 50th call is slow, so that it is still in progress when its pod terminates."""


@dataclass
class Fleet:
    """A server `red` with two running pods and the tool `wait`."""

    shop: Shop
    kubelet: Kubelet

    async def rolled_out(self, replicas: int) -> bool:
        """Return whether there are exactly so many pods, all of the current template."""
        deployment = await self.shop.client.get(DEPLOYMENTS, self.shop.key("mcp-server-red"))
        status = deployment.get("status", {})
        pods = await self.shop.pods()
        counts = ("replicas", "updatedReplicas", "availableReplicas")
        return (
            status.get("observedGeneration") == deployment["metadata"]["generation"]
            and [status.get(name, 0) for name in counts] == [replicas] * 3
            and len(pods) == replicas
        )


async def wait_a_little(request: web.Request) -> web.Response:
    await asyncio.sleep(float((await request.json())["seconds"]))
    return web.json_response({"waited": True})


@pytest.fixture
async def fleet(
    client: Client, namespace: str, control_plane: Cluster, crds_installed: None
) -> AsyncIterator[Fleet]:
    shop = Shop(client, namespace)
    await shop.service()
    app = web.Application()
    app.router.add_post("/{tail:.*}", wait_a_little)
    async with contextlib.AsyncExitStack() as stack:
        backend = await stack.enter_async_context(TestServer(app))
        services = {f"{namespace}/orders:80": f"127.0.0.1:{backend.port}"}
        kubelet = await stack.enter_async_context(
            Kubelet(client, control_plane.kubeconfig, namespace, services)
        )
        await stack.enter_async_context(
            running_operator(control_plane.kubeconfig, namespace, ask=http_ask)
        )
        fleet = Fleet(shop, kubelet)
        schema = {"type": "object", "properties": {"seconds": {"type": "number"}}}
        await shop.tool("wait", "red", inputSchema=schema)
        await shop.server("red", replicas=2)
        await eventually(lambda: shop.replicas("red"), 2)
        await eventually(lambda: fleet.rolled_out(2), expected=True)
        yield fleet


async def test_no_call_fails_during_a_rolling_restart_and_a_scale_down(fleet: Fleet) -> None:
    shop, numbers = fleet.shop, itertools.count()

    def arguments() -> Object:
        return {"seconds": 0.02 if next(numbers) % SLOW_EVERY else SLOW_SECONDS}

    async def busy() -> bool:
        return met.total > 500

    async with traffic(
        shop.client, fleet.kubelet, "wait", clients=CLIENTS, arguments=arguments
    ) as met:
        await eventually(busy, expected=True)
        # This is what `kubectl rollout restart` does.
        mark = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
        await shop.client.merge_patch(
            DEPLOYMENTS,
            shop.key("mcp-server-red"),
            {"spec": {"template": {"metadata": {"annotations": mark}}}},
        )
        await eventually(lambda: fleet.rolled_out(2), expected=True)
        restarted = len(met.answered)
        await shop.client.merge_patch(
            MCPSERVERS, shop.key("red"), {"spec": {"replicas": 1}}, subresource="scale"
        )
        await eventually(lambda: fleet.rolled_out(1), expected=True)

    assert met.failed == []
    assert restarted > 2, "no client reached a new pod"
