"""Two replicas: one works, the other waits, and never do both write."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest

from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operator_process import OperatorProcess
from support.shop import Shop
from support.waiting import eventually

Start = Callable[[str], OperatorProcess]


@pytest.fixture
async def shop(client: Client, namespace: str, crds_installed: None) -> Shop:
    shop = Shop(client, namespace)
    await shop.service()
    await shop.server("red")
    await shop.tool("search", "red")
    return shop


@pytest.fixture
def start(control_plane: Cluster, namespace: str) -> Iterator[Start]:
    """Start replicas whose lease runs out sooner than in production: 3 s, not 15."""
    replicas: list[OperatorProcess] = []

    def replica(name: str) -> OperatorProcess:
        flags = (
            *("--lease-namespace", namespace, "--identity", name),
            *("--lease-duration", "3", "--renew-deadline", "2", "--retry-period", "0.5"),
        )
        replicas.append(OperatorProcess(control_plane.kubeconfig, namespace, *flags))
        return replicas[-1]

    yield replica
    for each in replicas:
        each.stop()


async def edit_and_wait(shop: Shop, description: str) -> None:
    await shop.patch("MCPTool", "search", spec={"description": description})
    await eventually(functools.partial(shop.served, "red"), {"search": description})


async def writes(replica: OperatorProcess) -> int:
    requests = await replica.requests()
    return requests.total() - requests["GET"]


async def test_a_standby_writes_nothing_and_takes_over_when_the_leader_is_killed(
    shop: Shop, start: Start
) -> None:
    leader = start("one")
    await leader.ready()
    await eventually(leader.leads, expected=True)
    standby = start("two")
    await standby.ready()
    await edit_and_wait(shop, "by the first")
    assert await writes(standby) == 0
    assert not await standby.leads()
    leader.kill()
    await edit_and_wait(shop, "by the second")
    assert await standby.leads()


async def test_a_leader_that_is_stopped_hands_over_without_waiting_for_the_lease(
    shop: Shop, start: Start
) -> None:
    leader = start("one")
    await leader.ready()
    await eventually(leader.leads, expected=True)
    standby = start("two")
    await standby.ready()
    leader.stop()
    await eventually(standby.leads, expected=True, seconds=2)
    await edit_and_wait(shop, "by the second")
