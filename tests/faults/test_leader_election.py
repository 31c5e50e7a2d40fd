"""Leader election with network faults: never two leaders, and writes do not delay renewals."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping

import pytest

from faults.actions import Action, drop, drop_answer, failure, hang
from faults.proxy import FaultProxy
from mcp_operator.core.clock import SystemClock
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import LeadershipLostError
from mcp_operator.runtime.leader import LEASES, LeaderElector
from support.elections import no_exit
from support.operator_process import OperatorProcess
from support.shop import Shop
from support.waiting import eventually

SHORT = {"lease_duration": 3.0, "renew_deadline": 2.0}
"""Seconds, a fifth of the defaults: for a lease that has to expire."""

LONG = {"lease_duration": 600.0, "renew_deadline": 500.0}
"""Seconds: for a lease that must not expire, even on a busy machine."""

PERIOD = 0.2


class Replica:
    """One candidate of the election, and the time in which it led."""

    def __init__(
        self, client: Client, namespace: str, identity: str, times: Mapping[str, float]
    ) -> None:
        self.began = math.inf
        self.ended = math.inf
        self.elector = LeaderElector(
            client,
            namespace=namespace,
            name="operator",
            identity=identity,
            retry_period=PERIOD,
            **times,
            clock=SystemClock(),
            metrics=RuntimeMetrics(new_registry()),
            exit_process=no_exit,
            on_rollback=no_exit,
            annotations={},
        )
        self.task = asyncio.create_task(self.elector.run(self._lead))

    async def _lead(self) -> None:
        now = asyncio.get_running_loop().time
        self.began = now()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = min(self.ended, now())

    async def leads(self) -> bool:
        return self.elector.is_leader


@pytest.fixture
async def replicas(
    subject: Client, client: Client, namespace: str, times: Mapping[str, float]
) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two replicas; the first leads, and only the first uses the proxy."""
    first = Replica(subject, namespace, "first", times)
    await eventually(first.leads, expected=True)
    second = Replica(client, namespace, "second", times)
    yield first, second
    for each in (first, second):
        each.task.cancel()
    await asyncio.wait({first.task, second.task})


@pytest.mark.parametrize("times", [SHORT], ids=["short lease"])
@pytest.mark.parametrize(
    "fault",
    [hang(), failure(500), drop(), drop_answer()],
    ids=["no response", "500", "dropped", "dropped response"],
)
async def test_a_leader_that_cannot_renew_the_lease_stops_before_another_starts(
    replicas: tuple[Replica, Replica], proxy: FaultProxy, fault: Action
) -> None:
    first, second = replicas
    proxy.on("/leases", fault, times=math.inf)
    await eventually(second.leads, expected=True)
    assert first.ended <= second.began
    with pytest.raises(LeadershipLostError):
        await first.task


@pytest.mark.parametrize("times", [LONG], ids=["long lease"])
async def test_a_leader_stays_the_leader_when_a_few_renewals_fail(
    replicas: tuple[Replica, Replica], proxy: FaultProxy, client: Client, namespace: str
) -> None:
    first, second = replicas
    refused = proxy.on("/leases", failure(500), times=4)
    await refused.met.wait()
    await renewed(proxy)
    assert first.elector.is_leader
    assert not second.elector.is_leader
    lease = await client.get(LEASES, Key(namespace, "operator"))
    assert lease["spec"]["leaseTransitions"] == 0


async def test_the_lease_is_renewed_while_all_workers_wait_for_responses(
    shop: Shop, proxy: FaultProxy
) -> None:
    proxy.on("PATCH .*/mcptools/", hang(), times=math.inf)
    for number in range(40):
        await shop.tool(f"tool-{number}", "nobody")
    operator = OperatorProcess(
        *(proxy.kubeconfig, shop.namespace, "--workers", "40", "--lease-namespace", shop.namespace),
        *("--lease-duration", "600", "--renew-deadline", "500", "--retry-period", "0.5"),
    )
    try:
        await operator.ready()
        await eventually(lambda: _hung(proxy), 32)
        await renewed(proxy)
        assert await operator.leads()
    finally:
        await asyncio.to_thread(operator.stop)


async def _hung(proxy: FaultProxy) -> int:
    return len(proxy.writes("/mcptools/"))


async def renewed(proxy: FaultProxy, times: int = 3) -> None:
    """Wait until the lease has been renewed some more times."""

    async def written() -> bool:
        return len(proxy.writes("/leases")) >= wanted

    wanted = len(proxy.writes("/leases")) + times
    await eventually(written, expected=True)
