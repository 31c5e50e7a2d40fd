"""An operator that is killed at any of its writes leaves nothing that the next one cannot mend."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.crashes import Crash, Moment
from faults.proxy import fault_proxy
from faults.scenario import END, calmly, go_through, own_namespace
from faults.stability import stable
from faults.states import differences, end_state
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operators import running_operator

AT_ONCE = 6
"""Crashes that are tried side by side, each in a namespace of its own."""


async def crash_and_restart(
    client: Client, cluster: Cluster, directory: Path, crash: Crash
) -> dict[str, object]:
    """Go through the scenario with a crash, and return what there is in the end."""
    async with fault_proxy(directory, cluster.kubeconfig) as proxy, own_namespace(client) as shop:
        user = asyncio.create_task(go_through(shop))
        await crash.befall(proxy, shop.namespace, user)
        async with running_operator(proxy.kubeconfig, shop.namespace) as successor:
            await user
            await stable(shop, successor, END)
            return await end_state(client, shop.namespace)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", Moment)
async def test_a_crash_at_any_write_leads_to_the_same_end(
    control_plane: Cluster, crds_installed: None, client: Client, tmp_path: Path, moment: Moment
) -> None:
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager what a deleted server owned stays")
    golden = await calmly(client, control_plane)
    room = asyncio.Semaphore(AT_ONCE)

    async def crash_at(write: int) -> int:
        """Return how many writes there were."""
        async with room:
            crash = Crash(write, moment)
            directory = tmp_path / str(write)
            directory.mkdir()
            try:
                end = await crash_and_restart(client, control_plane, directory, crash)
            except Exception as error:
                text = f"after a crash at write {write}, {moment}: {error!r}"
                raise AssertionError(text) from error
        difference = differences(golden, end)
        assert not difference, f"after a crash at write {write}, {moment}:\n{difference}"
        return crash.writes

    writes = await crash_at(0)
    assert writes > 20
    async with asyncio.TaskGroup() as crashes:
        for write in points(writes, moment):
            crashes.create_task(crash_at(write))


def points(writes: int, moment: Moment) -> Iterator[int]:
    """Yield the writes to crash at: all at night, else every third, others for each moment."""
    if os.environ.get("MCP_OPERATOR_WALKS"):
        yield from range(1, writes + 1)
    else:
        yield from range(1 + list(Moment).index(moment), writes + 1, len(Moment))
