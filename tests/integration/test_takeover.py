"""Two replicas of the operator: one leads, and the other waits with synced caches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.leader import LEASES
from support.controlplane import Cluster
from support.operator_process import OperatorProcess
from support.shop import Shop
from support.waiting import eventually

Start = Callable[..., OperatorProcess]

LEASE_SECONDS = 20
"""The duration of a lease that a test lets expire: long enough to be renewed when busy."""


@pytest.fixture
async def shop(client: Client, namespace: str, crds_installed: None) -> Shop:
    shop = Shop(client, namespace)
    await shop.service()
    await shop.server("red")
    await shop.tool("search", "red")
    return shop


@pytest.fixture
def start(control_plane: Cluster, namespace: str) -> Iterator[Start]:
    """Start replicas; by default their lease lasts so long that a busy leader keeps it."""
    replicas: list[OperatorProcess] = []

    def replica(name: str, *, seconds: int = 600) -> OperatorProcess:
        flags = (
            *("--lease-namespace", namespace, "--identity", name, "--retry-period", "0.5"),
            *("--lease-duration", str(seconds), "--renew-deadline", str(seconds * 0.8)),
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


async def reconciled(replica: OperatorProcess) -> float:
    return sum(s.value for s in await replica.samples("controller_runtime_reconcile_total"))


async def cached(replica: OperatorProcess) -> dict[str, float]:
    """Return how many objects of each kind a replica has cached."""
    return {s.labels["kind"]: s.value for s in await replica.samples("informer_objects")}


async def lease_of(shop: Shop) -> Object:
    spec: Object = (await shop.client.get(LEASES, Key(shop.namespace, "mcp-operator")))["spec"]
    return spec


def moment(lease: Object, field: str) -> datetime:
    return datetime.fromisoformat(lease[field])


async def test_a_standby_writes_nothing_until_the_lease_of_a_killed_leader_expires(
    shop: Shop, start: Start
) -> None:
    leader = start("one", seconds=LEASE_SECONDS)
    await leader.ready()
    await eventually(leader.leads, expected=True)
    standby = start("two", seconds=LEASE_SECONDS)
    await standby.ready()
    await edit_and_wait(shop, "by the first")
    assert await writes(standby) == 0
    assert await reconciled(standby) == 0
    assert not await standby.leads()
    await eventually(functools.partial(cached, standby), await cached(leader))
    leader.kill()
    last = await lease_of(shop)
    assert last["holderIdentity"] == "one"
    await edit_and_wait(shop, "by the second")
    assert await standby.leads()
    taken = await lease_of(shop)
    assert (taken["holderIdentity"], taken["leaseTransitions"]) == ("two", 1)
    waited = moment(taken, "acquireTime") - moment(last, "renewTime")
    assert waited >= timedelta(seconds=LEASE_SECONDS)


async def test_a_leader_that_is_stopped_releases_the_lease_at_once(
    shop: Shop, start: Start
) -> None:
    leader = start("one")
    await leader.ready()
    await eventually(leader.leads, expected=True)
    standby = start("two")
    await standby.ready()
    leader.terminate()
    assert await leader.ended() == 0
    await eventually(standby.leads, expected=True)
    await edit_and_wait(shop, "by the second")
    assert (await lease_of(shop))["leaseTransitions"] == 1
