"""The namespace of one walk: its user, an operator behind the fault proxy, and faults."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress

from faults.invariants import Watchdog
from faults.observed_state import differences, observed_state
from faults.outages import watch_outage
from faults.proxy import FaultProxy
from faults.stability import left_to_do, stored
from mcp_operator.builders.resources import DEPLOYMENTS, PODS
from mcp_operator.controllers.confirmations import Answer, Pod
from mcp_operator.core.meta import Key, Object, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.connected import NAMESPACES
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import HANG_SECONDS, eventually

LOOKS = 20
"""How often a wrong state must be observed, while the operator is idle, before it is final."""

READY = {
    "phase": "Running",
    "podIP": "192.0.2.1",
    "conditions": [{"type": "Ready", "status": "True"}],
}
"""The status of a pod whose gateway runs."""


class Environment:
    """A namespace with at most one operator.

    Attributes:
        shop: The user of the namespace.
        watches_cut: Whether all watches of the operator are cut.
    """

    def __init__(self, client: Client, proxy: FaultProxy) -> None:
        self.shop = Shop(client, f"walk-{uuid.uuid4().hex[:10]}")
        self.watches_cut = False
        self._proxy = proxy
        self._current: tuple[Operator, Watchdog] | None = None
        self._lifetime = AsyncExitStack()
        self._outage = AsyncExitStack()

    @property
    def running(self) -> bool:
        """Whether there is an operator."""
        return self._current is not None

    @property
    def is_watching(self) -> bool:
        """Whether there is an operator whose watches are not cut."""
        return self.running and not self.watches_cut

    @property
    def operator(self) -> Operator:
        """The operator; there must be one."""
        assert self._current is not None
        return self._current[0]

    async def open(self) -> None:
        """Create the namespace."""
        await self.shop.client.create(NAMESPACES, {"metadata": {"name": self.shop.namespace}})

    async def close(self) -> None:
        """Kill the operator if it runs, and delete the namespace."""
        if self.running:
            await self.kill()
        await self._outage.aclose()
        self._proxy.forget()
        await self.shop.client.delete(NAMESPACES, Key("", self.shop.namespace))

    async def start(self) -> None:
        """Start an operator."""
        running = running_operator(self._proxy.kubeconfig, self.shop.namespace, ask=all_confirm)
        operator = await self._lifetime.enter_async_context(running)
        self._current = operator, Watchdog(operator)

    async def kill(self) -> None:
        """Kill the operator in the middle of its work."""
        await self.operator.kill()
        self._current = None
        await self._lifetime.aclose()

    async def stop(self) -> None:
        """Stop the operator, which finishes what is in progress."""
        await self.operator.stop()
        self._current = None
        await self._lifetime.aclose()

    def check(self) -> None:
        """Raise if the operator has died, or if an invariant is broken."""
        if self._current is not None:
            operator, watchdog = self._current
            operator.check()
            watchdog.check()

    async def break_watches(self) -> None:
        """Break every watch once; each resumes at its version."""
        self._proxy.kill(f"/namespaces/{self.shop.namespace}/.*watch=true")

    async def cut_watches(self) -> None:
        """Cut every watch until `restore_watches`."""
        outage = watch_outage(self._proxy, f"/namespaces/{self.shop.namespace}/")
        await self._outage.enter_async_context(outage)
        self.watches_cut = True

    async def restore_watches(self) -> None:
        """Let the watches reconnect; the versions from which they resume have expired."""
        await self._outage.aclose()
        self.watches_cut = False

    async def catch_up(self) -> None:
        """Give the caches some time to catch up with the API server; `settle` waits longer."""
        with suppress(AssertionError):
            await eventually(lambda: self.operator.lagging(self.shop.client), [], seconds=10)

    async def resync(self) -> None:
        """Notify the operator of every object once more."""
        await self.operator.resync()

    async def run_pods(self) -> bool:
        """Mark every pod as running and ready, as a kubelet does; return whether all were."""
        idle = [pod for pod in await self.shop.pods() if pod["status"]["phase"] != "Running"]
        for pod in idle:
            await self._run_pod(pod)
        return not idle

    async def _run_pod(self, pod: Object) -> None:
        try:
            await self.shop.client.merge_patch(
                PODS, key_of(pod), {"status": READY}, subresource="status"
            )
        except ApiError as error:
            if not error.is_not_found:  # it was deleted with its server
                raise

    async def settle(self, expected: Mapping[str, object]) -> None:
        """Wait until the operator is idle, and check that the state is the expected one.

        Raises:
            AssertionError: The state stays different, or the operator never settles.
        """
        if self.watches_cut:
            await self.restore_watches()
        if not self.running:
            await self.start()
        seen, looks = [""], 0
        give_up = asyncio.get_running_loop().time() + HANG_SECONDS
        while True:
            run = await self.run_pods()
            left = await self.operator.lagging(self.shop.client)
            wrong = differences(await observed_state(self.shop, self.operator), expected)
            left += [*left_to_do(self.operator), *unavailable(self.operator)]
            self.check()
            at_rest = run and not left and not self.operator.busy
            if at_rest and not wrong:
                return
            looks = looks + 1 if at_rest and wrong == seen else 0
            seen = wrong
            assert looks < LOOKS, "at the end " + "\n".join(wrong)
            late = asyncio.get_running_loop().time() > give_up
            assert not late, f"after {HANG_SECONDS} s " + "\n".join([*left, *wrong])
            await asyncio.sleep(0.02)

    async def rest(self) -> None:
        """Check that a settled operator writes nothing when it reconciles everything again."""
        self.operator.forget_requests()
        await self.operator.resync()
        await self.operator.idle()
        self.check()
        assert not self.operator.writes, f"written without a change: {self.operator.writes}"


def unavailable(operator: Operator) -> Iterator[str]:
    """Yield a message for each Deployment that does not report its pod as available."""
    for deployment in stored(operator, DEPLOYMENTS):
        if deployment.get("status", {}).get("availableReplicas") != 1:
            yield f"Deployment {key_of(deployment).name} is not available"


async def all_confirm(pod: Pod, digest: str) -> Answer:
    """Respond as gateways that serve every catalog at once."""
    del pod
    return Answer(digest)
