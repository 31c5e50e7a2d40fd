"""Of two replicas that always have something to write, only the holder of the lease writes."""

from __future__ import annotations

import asyncio
import functools
import math
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from faults.actions import hang
from faults.proxy import FaultProxy, fault_proxy
from faults.replicas import KEPT_LEASE, Replicas
from mcp_operator.runtime.leader import LEASES
from support.controlplane import Cluster, ControlPlane
from support.editing import editing
from support.lease_audit import writes_without_lease
from support.operator_process import OperatorProcess
from support.shop import Shop
from support.waiting import eventually

ROUNDS = 3

SHORT_LEASE, LONGER_LEASE = 10, 30
"""Seconds of leases that have to expire. A leader that a busy machine delays for 0.8 of that time
loses the lease; tests that would fail then use the longer one."""

TOOLS = [f"tool-{number}" for number in range(4)]


@pytest.fixture
def lease_seconds() -> int:
    """The duration of a lease in seconds; tests can parametrize it."""
    return SHORT_LEASE


@pytest.fixture
async def replicas(
    control_plane: Cluster, shop: Shop, lease_seconds: int
) -> AsyncIterator[Replicas]:
    if not isinstance(control_plane, ControlPlane):
        pytest.skip("an existing cluster has no audit log that the test can read")
    await shop.server("red")
    for tool in TOOLS:
        await shop.tool(tool, "red")
    replicas = Replicas(control_plane, shop, lease_seconds=lease_seconds)
    yield replicas
    await replicas.stop()


async def until_leading(operator: OperatorProcess) -> None:
    await eventually(operator.leads, expected=True)


async def until_watching(standby: OperatorProcess) -> None:
    """Wait until a standby has read the lease, which can be after it has become ready.

    A process that has never read the lease acquires a free lease at once.
    """
    await lease_reads(standby, 2)  # a read is counted when it starts


async def lease_reads(standby: OperatorProcess, number: int) -> None:
    """Wait until a standby has read the lease some more times."""

    async def counted() -> float:
        samples = await standby.samples("leader_election_slowpath_total")
        return sum(each.value for each in samples)

    async def enough() -> bool:
        return await counted() >= wanted

    wanted = await counted() + number
    await eventually(enough, expected=True)


async def until_writing(replicas: Replicas, user: str) -> None:
    await eventually(functools.partial(replicas.wrote, user), expected=True)


async def test_a_frozen_leader_writes_nothing_after_another_has_led(
    replicas: Replicas, shop: Shop
) -> None:
    leader = await replicas.start()
    await until_leading(leader)
    async with editing(shop, TOOLS):
        for _ in range(ROUNDS):
            await until_writing(replicas, replicas.users[-1])
            standby = await replicas.start()
            await asyncio.sleep(random.uniform(0, 0.5))  # noqa: S311  # the moment does not matter
            leader.freeze()
            await until_leading(standby)
            await until_writing(replicas, replicas.users[-1])
            leader.thaw()
            assert await leader.ended() != 0
            leader = standby
    assert writes_without_lease(await replicas.writes()) == []


async def test_a_leader_that_is_frozen_before_a_write_never_sends_it(
    replicas: Replicas, shop: Shop, tmp_path: Path
) -> None:
    leader = await replicas.start(tamper=tmp_path)
    await until_leading(leader)
    await until_writing(replicas, replicas.users[0])
    standby = await replicas.start()
    async with editing(shop, TOOLS):
        freeze = tmp_path / "freeze"
        freeze.touch()
        await eventually(functools.partial(asyncio.to_thread, freeze.exists), expected=False)
        await until_leading(standby)
        await until_writing(replicas, replicas.users[1])
        leader.thaw()
        assert await leader.ended() != 0
    assert writes_without_lease(await replicas.writes()) == []


@pytest.mark.parametrize("how", ["hangs", "refuses"])
async def test_a_disconnected_leader_writes_nothing_after_another_has_led(
    replicas: Replicas, shop: Shop, tmp_path: Path, how: str
) -> None:
    async with fault_proxy(tmp_path, replicas.add_user()) as proxy, editing(shop, TOOLS):
        leader = await replicas.start(proxy.kubeconfig)
        await until_leading(leader)
        await until_writing(replicas, replicas.users[0])
        standby = await replicas.start()
        await disconnect(proxy, how)
        await until_leading(standby)
        assert await leader.ended() != 0
        await until_writing(replicas, replicas.users[1])
    assert writes_without_lease(await replicas.writes()) == []


async def disconnect(proxy: FaultProxy, how: str) -> None:
    if how == "hangs":
        proxy.on("", hang(), times=math.inf)
        proxy.stall("")
    else:
        await proxy.refuse()
        proxy.hang_up()


@pytest.mark.parametrize("lease_seconds", [KEPT_LEASE], ids=["kept"])
@pytest.mark.parametrize("how", ["deleted", "emptied"])
async def test_a_leader_acquires_its_deleted_or_released_lease_again(
    replicas: Replicas, shop: Shop, how: str
) -> None:
    leader = await replicas.start()
    await until_leading(leader)
    await until_watching(await replicas.start())
    async with editing(shop, TOOLS):
        for _ in range(5):
            if how == "deleted":
                await shop.client.delete(LEASES, replicas.lease)
            else:
                await replicas.edit_lease(holderIdentity="")
            await eventually(functools.partial(holder, replicas, shop), replicas.users[0])
    assert await leader.leads()
    assert {write.user for write in await replicas.writes()} == {replicas.users[0]}


async def holder(replicas: Replicas, shop: Shop) -> str:
    lease = await shop.find(LEASES, replicas.lease.name)
    return str((lease or {}).get("spec", {}).get("holderIdentity", ""))


@pytest.mark.parametrize("lease_seconds", [LONGER_LEASE], ids=["longer"])
@pytest.mark.parametrize("by", ["a stranger", "the standby"])
async def test_a_leader_stops_when_another_identity_holds_its_lease(
    replicas: Replicas, shop: Shop, by: str
) -> None:
    leader = await replicas.start()
    await until_leading(leader)
    standby = await replicas.start()
    async with editing(shop, TOOLS):
        await until_writing(replicas, replicas.users[0])
        new_holder = "a stranger" if by == "a stranger" else replicas.users[1]
        await replicas.edit_lease(holderIdentity=new_holder)
        assert await leader.ended() != 0
        stopped = len(await replicas.writes())
        await until_leading(standby)
        await until_writing(replicas, replicas.users[1])
    found = await replicas.writes()
    assert {write.user for write in found[:stopped]} == {replicas.users[0]}
    assert writes_without_lease(found) == []


@pytest.mark.parametrize("lease_seconds", [LONGER_LEASE], ids=["longer"])
async def test_wrong_clocks_do_not_change_which_replica_leads(
    replicas: Replicas, shop: Shop, tmp_path: Path
) -> None:
    clocks = [tmp_path / name / "clock" for name in ("leader", "standby")]
    for clock in clocks:
        clock.parent.mkdir()
    leader = await replicas.start(tamper=clocks[0].parent)
    await until_leading(leader)
    standby = await replicas.start(tamper=clocks[1].parent)
    async with editing(shop, TOOLS):
        for hours in (1, -2):
            for clock, wrong in zip(clocks, (hours, -hours), strict=True):
                clock.write_text(str(wrong), encoding="utf-8")
            await renewals(replicas, 6)
            await lease_reads(standby, 6)
            wrong_by = await renewed(replicas, shop) - datetime.now(UTC)
            assert round(wrong_by / timedelta(hours=1)) == hours
        assert {write.user for write in await replicas.writes()} == {replicas.users[0]}
        leader.kill()
        await until_leading(standby)
        await until_writing(replicas, replicas.users[1])
    assert writes_without_lease(await replicas.writes()) == []


async def renewals(replicas: Replicas, number: int) -> None:
    """Wait until the lease has been written some more times."""

    async def enough() -> bool:
        return len([write for write in await replicas.writes() if write.is_lease]) >= wanted

    wanted = len([write for write in await replicas.writes() if write.is_lease]) + number
    await eventually(enough, expected=True)


async def renewed(replicas: Replicas, shop: Shop) -> datetime:
    lease = await shop.client.get(LEASES, replicas.lease)
    return datetime.fromisoformat(lease["spec"]["renewTime"])
