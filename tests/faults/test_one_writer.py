"""Two replicas that always have something to write, and what keeps the wrong one from it."""

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
from faults.crew import KEPT_LEASE, Crew
from faults.proxy import FaultProxy, fault_proxy
from mcp_operator.runtime.leader import LEASES
from support.controlplane import Cluster, ControlPlane
from support.editing import editing
from support.operator_process import OperatorProcess
from support.shop import Shop
from support.turns import out_of_turn
from support.waiting import eventually

ROUNDS = 3

SHORT_LEASE, LONGER_LEASE = 10, 30
"""Seconds of leases that have to expire. The longer one is for tests that fail if the leader loses
its lease before that, as it does when the machine lets it renew nothing for 0.8 times as long."""

TOOLS = [f"tool-{number}" for number in range(4)]


@pytest.fixture
def lease_seconds() -> int:
    """Return how long a lease lasts; a test that keeps it asks for a longer one."""
    return SHORT_LEASE


@pytest.fixture
async def crew(control_plane: Cluster, shop: Shop, lease_seconds: int) -> AsyncIterator[Crew]:
    if not isinstance(control_plane, ControlPlane):
        pytest.skip("the cluster is not ours, so there is no audit log to read")
    await shop.server("red")
    for tool in TOOLS:
        await shop.tool(tool, "red")
    crew = Crew(control_plane, shop, lease_seconds=lease_seconds)
    yield crew
    await crew.stop()


async def leading(operator: OperatorProcess) -> None:
    await eventually(operator.leads, expected=True)


async def watching(standby: OperatorProcess) -> None:
    """Wait until a standby has seen the lease; it is ready before, when its caches are full.

    One that has never seen a lease takes whatever it finds free, as the first of all has to.
    """

    await looks(standby, 2)  # counted as each begins


async def looks(standby: OperatorProcess, number: int) -> None:
    """Wait until a standby has begun to read the lease so many times more."""

    async def counted() -> float:
        samples = await standby.samples("leader_election_slowpath_total")
        return sum(each.value for each in samples)

    async def enough() -> bool:
        return await counted() >= wanted

    wanted = await counted() + number
    await eventually(enough, expected=True)


async def working(crew: Crew, user: str) -> None:
    await eventually(functools.partial(crew.wrote, user), expected=True)


async def test_a_leader_that_is_frozen_at_any_moment_writes_nothing_after_another_has_led(
    crew: Crew, shop: Shop
) -> None:
    leader = await crew.start()
    await leading(leader)
    async with editing(shop, TOOLS):
        for _ in range(ROUNDS):
            await working(crew, crew.users[-1])
            standby = await crew.start()
            await asyncio.sleep(random.uniform(0, 0.5))  # noqa: S311  # any moment will do
            leader.freeze()
            await leading(standby)
            await working(crew, crew.users[-1])
            leader.thaw()
            assert await leader.ended() != 0
            leader = standby
    assert out_of_turn(await crew.writes()) == []


async def test_the_write_that_was_next_when_the_leader_was_frozen_is_never_sent(
    crew: Crew, shop: Shop, tmp_path: Path
) -> None:
    leader = await crew.start(tamper=tmp_path)
    await leading(leader)
    await working(crew, crew.users[0])
    standby = await crew.start()
    async with editing(shop, TOOLS):
        freeze = tmp_path / "freeze"
        freeze.touch()
        await eventually(functools.partial(asyncio.to_thread, freeze.exists), expected=False)
        await leading(standby)
        await working(crew, crew.users[1])
        leader.thaw()
        assert await leader.ended() != 0
    assert out_of_turn(await crew.writes()) == []


@pytest.mark.parametrize("how", ["hangs", "refuses"])
async def test_a_leader_that_is_cut_off_writes_nothing_after_another_has_led(
    crew: Crew, shop: Shop, tmp_path: Path, how: str
) -> None:
    async with fault_proxy(tmp_path, crew.enlist()) as proxy, editing(shop, TOOLS):
        leader = await crew.start(proxy.kubeconfig)
        await leading(leader)
        await working(crew, crew.users[0])
        standby = await crew.start()
        await cut_off(proxy, how)
        await leading(standby)
        assert await leader.ended() != 0
        await working(crew, crew.users[1])
    assert out_of_turn(await crew.writes()) == []


async def cut_off(proxy: FaultProxy, how: str) -> None:
    if how == "hangs":
        proxy.on("", hang(), times=math.inf)
        proxy.stall("")
    else:
        await proxy.refuse()
        proxy.hang_up()


@pytest.mark.parametrize("lease_seconds", [KEPT_LEASE], ids=["kept"])
@pytest.mark.parametrize("how", ["deleted", "emptied"])
async def test_a_leader_whose_lease_vanishes_takes_it_back_and_no_other_does(
    crew: Crew, shop: Shop, how: str
) -> None:
    leader = await crew.start()
    await leading(leader)
    await watching(await crew.start())
    async with editing(shop, TOOLS):
        for _ in range(5):
            if how == "deleted":
                await shop.client.delete(LEASES, crew.lease)
            else:
                await crew.edit_lease(holderIdentity="")
            await eventually(functools.partial(holder, crew, shop), crew.users[0])
    assert await leader.leads()
    assert {write.user for write in await crew.writes()} == {crew.users[0]}


async def holder(crew: Crew, shop: Shop) -> str:
    lease = await shop.find(LEASES, crew.lease.name)
    return str((lease or {}).get("spec", {}).get("holderIdentity", ""))


@pytest.mark.parametrize("lease_seconds", [LONGER_LEASE], ids=["longer"])
@pytest.mark.parametrize("by", ["a stranger", "the standby"])
async def test_a_leader_that_is_robbed_of_its_lease_stops_before_another_begins(
    crew: Crew, shop: Shop, by: str
) -> None:
    leader = await crew.start()
    await leading(leader)
    standby = await crew.start()
    async with editing(shop, TOOLS):
        await working(crew, crew.users[0])
        thief = "a stranger" if by == "a stranger" else crew.users[1]
        await crew.edit_lease(holderIdentity=thief)
        assert await leader.ended() != 0
        stopped = len(await crew.writes())
        await leading(standby)
        await working(crew, crew.users[1])
    found = await crew.writes()
    assert {write.user for write in found[:stopped]} == {crew.users[0]}
    assert out_of_turn(found) == []


@pytest.mark.parametrize("lease_seconds", [LONGER_LEASE], ids=["longer"])
async def test_clocks_that_are_set_under_way_move_no_lease(
    crew: Crew, shop: Shop, tmp_path: Path
) -> None:
    clocks = [tmp_path / name / "clock" for name in ("leader", "standby")]
    for clock in clocks:
        clock.parent.mkdir()
    leader = await crew.start(tamper=clocks[0].parent)
    await leading(leader)
    standby = await crew.start(tamper=clocks[1].parent)
    async with editing(shop, TOOLS):
        for hours in (1, -2):
            for clock, wrong in zip(clocks, (hours, -hours), strict=True):
                clock.write_text(str(wrong), encoding="utf-8")
            await renewals(crew, 6)
            await looks(standby, 6)
            wrong_by = await renewed(crew, shop) - datetime.now(UTC)
            assert round(wrong_by / timedelta(hours=1)) == hours
        assert {write.user for write in await crew.writes()} == {crew.users[0]}
        leader.kill()
        await leading(standby)
        await working(crew, crew.users[1])
    assert out_of_turn(await crew.writes()) == []


async def renewals(crew: Crew, number: int) -> None:
    """Wait until the lease has been written so many times more."""

    async def enough() -> bool:
        return len([write for write in await crew.writes() if write.is_lease]) >= wanted

    wanted = len([write for write in await crew.writes() if write.is_lease]) + number
    await eventually(enough, expected=True)


async def renewed(crew: Crew, shop: Shop) -> datetime:
    lease = await shop.client.get(LEASES, crew.lease)
    return datetime.fromisoformat(lease["spec"]["renewTime"])
