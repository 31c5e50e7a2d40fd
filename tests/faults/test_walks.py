"""Random walks: whatever users do and whatever breaks, each server serves what the model says."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import uuid

import pytest

from faults.invariants import Watchdog
from faults.outages import blindness
from faults.proxy import FaultProxy
from faults.walks import SERVERS, Walker
from mcp_operator.core.meta import Key, Resource
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)

WALKS = int(os.environ.get("MCP_OPERATOR_WALKS") or 8)
"""How many walks are taken; a thousand at night."""

FIRST_SEED = int(os.environ.get("MCP_OPERATOR_WALK_SEED") or 0)
STEPS = 20
AT_ONCE = 4
PATIENCE = 20.0
"""Seconds for the garbage collector to remove what a deleted server owned; one or two are usual."""


class Walk:
    """One user's walk in a namespace of its own, with an operator that is killed now and then."""

    def __init__(self, client: Client, proxy: FaultProxy, namespace: str, seed: int) -> None:
        self._client = client
        self._proxy = proxy
        self._namespace = namespace
        self._chance = random.Random(seed)  # noqa: S311 - a walk that fails has to fail again
        self._shop = Shop(client, namespace)
        self.walker = Walker(self._shop, seed)

    async def run(self) -> None:
        """Take all steps, with another operator every few of them, and see that it ends well."""
        left = STEPS
        while left:
            part = min(left, self._chance.randint(3, 10))
            left -= part
            async with running_operator(self._proxy.kubeconfig, self._namespace) as operator:
                watchdog = Watchdog(operator)
                for _ in range(part):
                    await self._step()
                    watchdog.check()
                if self._chance.random() < 0.5 or not left:
                    await self._converged()
                    await eventually(
                        functools.partial(watchdog.caches_equal, self._client, self._namespace),
                        expected=True,
                    )
                    await operator.idle()
                    watchdog.check()
                if not left:
                    operator.forget_requests()
                    await operator.idle()
                    assert operator.writes == []
                await operator.kill()

    async def _step(self) -> None:
        match self._chance.randrange(8):
            case 0:
                self.walker.steps.append("(watches break)")
                self._proxy.kill(f"/namespaces/{self._namespace}/.*watch=true")
                await self.walker.step()
            case 1:
                self.walker.steps.append("(watches are blind)")
                async with blindness(self._proxy, self._namespace):
                    await self.walker.step()
                    await asyncio.sleep(0.1)
            case _:
                await self.walker.step()
        if self._chance.random() < 0.3:
            await asyncio.sleep(self._chance.random() / 10)

    async def _converged(self) -> None:
        for server in SERVERS:
            served = functools.partial(self._shop.served, server)
            await eventually(served, self.walker.model.served(server), seconds=PATIENCE)


@pytest.mark.timeout(30 + 10 * WALKS)
async def test_random_walks_end_as_the_model_says(
    control_plane: Cluster, crds_installed: None, client: Client, proxy: FaultProxy
) -> None:
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager what a deleted server owned stays")
    room = asyncio.Semaphore(AT_ONCE)

    async def walk(seed: int) -> None:
        async with room:
            namespace = f"test-{uuid.uuid4().hex[:10]}"
            await client.create(NAMESPACES, {"metadata": {"name": namespace}})
            walk = Walk(client, proxy, namespace, seed)
            try:
                await walk.run()
            except Exception as error:
                steps = "\n".join(walk.walker.steps)
                raise AssertionError(f"seed {seed}, after\n{steps}\n{error}") from error
            finally:
                await client.delete(NAMESPACES, Key("", namespace))

    async with asyncio.TaskGroup() as walks:
        for seed in range(FIRST_SEED, FIRST_SEED + WALKS):
            walks.create_task(walk(seed))
