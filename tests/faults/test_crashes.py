"""When an operator is killed at any of its writes, the next one reaches the same end state."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.crashes import Crash, Moment
from faults.end_state import differences, end_state
from faults.proxy import fault_proxy
from faults.scenario import END, run_scenario
from faults.stability import stable
from mcp_operator.runtime.client import Client
from support.connected import own_namespace
from support.controlplane import Cluster
from support.operators import running_operator

AT_ONCE = 6
"""The number of concurrent crashes, each in a namespace of its own."""


async def crash_and_restart(
    client: Client, cluster: Cluster, directory: Path, crash: Crash
) -> dict[str, object]:
    """Run the scenario with a crash, and return the end state."""
    async with fault_proxy(directory, cluster.kubeconfig) as proxy, own_namespace(client) as shop:
        user = asyncio.create_task(run_scenario(shop))
        await crash.run(proxy, shop.namespace, user)
        async with running_operator(proxy.kubeconfig, shop.namespace) as successor:
            await user
            await stable(shop, successor, END)
            return await end_state(client, shop.namespace)


@pytest.mark.timeout(3600)
async def test_a_crash_at_any_write_leads_to_the_same_end_state(
    control_plane: Cluster, client: Client, tmp_path: Path, expected_end_state: dict[str, object]
) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def crash_at(write: int, moment: Moment) -> int:
        """Return the number of writes."""
        where = f"after a crash at write {write}, {moment}"
        async with room:
            crash = Crash(write, moment)
            directory = tmp_path / f"{moment} {write}"
            directory.mkdir()
            try:
                end = await crash_and_restart(client, control_plane, directory, crash)
            except Exception as error:
                raise AssertionError(f"{where}: {error!r}\n{crash.log()}") from error
        difference = differences(expected_end_state, end)
        assert not difference, f"{where}:\n{difference}"
        return crash.writes

    writes = await crash_at(0, Moment.BEFORE_SEND)
    assert writes > 20
    async with asyncio.TaskGroup() as crashes:
        for write, moment in points(writes):
            crashes.create_task(crash_at(write, moment))


def points(writes: int) -> Iterator[tuple[int, Moment]]:
    """Yield where to crash: at each write, at one of three moments in turn or nightly at all."""
    every = bool(os.environ.get("MCP_OPERATOR_WALKS"))
    for write in range(1, writes + 1):
        for number, moment in enumerate(Moment):
            if every or write % len(Moment) == number:
                yield write, moment
