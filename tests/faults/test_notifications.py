"""Reconciliation depends on the state, not on the number and the order of notifications."""

from __future__ import annotations

import asyncio
import functools
import os
import random

import pytest

from faults.end_state import differences, end_state
from faults.scenario import END, STEPS
from faults.stability import stable
from faults.unreliable_delivery import DeliveryFaults, unreliable_delivery
from mcp_operator.runtime.client import Client
from support.connected import own_namespace
from support.controlplane import Cluster
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually

RUNS = int(os.environ.get("MCP_OPERATOR_WALKS") or 4)
AT_ONCE = 4


async def take_steps(shop: Shop, seed: int) -> None:
    """Take the steps of the scenario without waiting for their effects."""
    chance = random.Random(seed)  # noqa: S311 - a failure must be reproducible
    for step, _ in STEPS:
        await step(shop)
        await asyncio.sleep(chance.random() / 4)


@pytest.mark.timeout(1200 + 60 * RUNS)
@pytest.mark.parametrize(
    "faults",
    [DeliveryFaults(), DeliveryFaults(dropped=0.5)],
    ids=["delayed and reordered", "also dropped"],
)
async def test_unreliable_notifications_lead_to_the_same_end_state(
    control_plane: Cluster,
    client: Client,
    expected_end_state: dict[str, object],
    faults: DeliveryFaults,
) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def run(seed: int) -> None:
        async with (
            room,
            own_namespace(client) as shop,
            running_operator(control_plane.kubeconfig, shop.namespace) as operator,
        ):
            with unreliable_delivery(operator, faults, seed):
                await take_steps(shop, seed)
                await eventually(functools.partial(operator.lagging, client), [])
            if faults.dropped:
                await operator.resync()
            await stable(shop, operator, END)
            difference = differences(expected_end_state, await end_state(client, shop.namespace))
        assert not difference, f"seed {seed}:\n{difference}"

    async with asyncio.TaskGroup() as runs:
        for seed in range(RUNS):
            runs.create_task(run(seed))
