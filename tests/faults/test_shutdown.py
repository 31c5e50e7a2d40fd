"""On SIGTERM the operator finishes what is in progress, then releases the lease."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from faults.actions import Seen, delay
from faults.proxy import FaultProxy, fault_proxy
from faults.replicas import Replicas
from support.controlplane import Cluster, ControlPlane
from support.lease_audit import writes_without_lease
from support.shop import Shop
from support.waiting import eventually

WORKERS = 2

SERVERS = {f"server-{number:02}" for number in range(20)}

WRITE_SECONDS = 0.2
"""How long each write of a reconciler takes; a server takes about four."""


@pytest.fixture
async def replicas(control_plane: Cluster, shop: Shop) -> AsyncIterator[Replicas]:
    if not isinstance(control_plane, ControlPlane):
        pytest.skip("an existing cluster has no audit log that the test can read")
    replicas = Replicas(control_plane, shop)
    yield replicas
    await replicas.stop()


@pytest.fixture
async def proxy(replicas: Replicas, tmp_path: Path) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(tmp_path, replicas.add_user()) as running:
        running.on("PATCH ", delay(WRITE_SECONDS), times=math.inf)
        yield running


def named(requests: Iterable[Seen]) -> set[str]:
    """Return the servers that requests are about; each child's name contains its server's."""
    return {found[0] for seen in requests if (found := re.search(r"server-\d\d", seen.path))}


def is_work(seen: Seen) -> bool:
    return seen.method == "PATCH" and "/events" not in seen.path


def reads_lease(seen: Seen) -> bool:
    return seen.method == "GET" and "/leases/" in seen.path


async def test_work_in_progress_is_finished_before_the_lease_is_released(
    replicas: Replicas, shop: Shop, proxy: FaultProxy
) -> None:
    operator = await replicas.start(proxy.kubeconfig, workers=WORKERS)
    await eventually(operator.leads, expected=True)
    standby = await replicas.start()  # it acquires the lease as soon as it is free
    for name in SERVERS:
        await shop.server(name)

    async def begun() -> bool:
        return len(named(proxy.writes())) > WORKERS

    await eventually(begun, expected=True)
    before = named(proxy.writes())
    written, seen = len(proxy.writes()), len(proxy.seen)
    operator.terminate()
    assert await operator.ended() == 0

    after = named(proxy.writes()[written:])
    assert after
    assert len(after - before) <= WORKERS  # those that had started and had written nothing yet
    assert named(proxy.writes("/status")) == before | after
    stopping = [one.method for one in proxy.seen[seen:] if is_work(one) or reads_lease(one)]
    assert "PATCH" in stopping
    assert "GET" not in stopping[:-1]  # the lease is read only to release it, after all work
    await eventually(standby.leads, expected=True)
    found = await replicas.writes()
    assert writes_without_lease(found) == []
    *work, release = [w for w in found if w.user == replicas.users[0] and "/events" not in w.what]
    assert release.is_lease
    assert max(write.done for write in work) < release.came
