"""One walk's namespace: its user, an operator behind the fault proxy, and what befalls that."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress

from faults.invariants import Watchdog
from faults.outages import blindness
from faults.proxy import FaultProxy
from faults.sight import differences, state_of
from faults.stability import left_to_do, stored
from mcp_operator.builders.resources import DEPLOYMENTS, PODS
from mcp_operator.controllers.confirmations import Pod
from mcp_operator.core.meta import Key, Object, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.connected import NAMESPACES
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import HANG_SECONDS, eventually

LOOKS = 20
"""Times that a wrong state is seen, with nothing left to do, before it counts as the end."""

READY = {
    "phase": "Running",
    "podIP": "192.0.2.1",
    "conditions": [{"type": "Ready", "status": "True"}],
}
"""The status of a pod whose gateway runs."""


class Stage:
    """A namespace with at most one operator.

    Attributes:
        shop: What its user does.
        blind: Whether all watches of the operator are cut.
    """

    def __init__(self, client: Client, proxy: FaultProxy) -> None:
        self.shop = Shop(client, f"walk-{uuid.uuid4().hex[:10]}")
        self.blind = False
        self._proxy = proxy
        self._actors: tuple[Operator, Watchdog] | None = None
        self._lifetime = AsyncExitStack()
        self._outage = AsyncExitStack()

    @property
    def running(self) -> bool:
        """Whether there is an operator."""
        return self._actors is not None

    @property
    def operator(self) -> Operator:
        """The operator, where there is one."""
        assert self._actors is not None
        return self._actors[0]

    async def open(self) -> None:
        """Make the namespace."""
        await self.shop.client.create(NAMESPACES, {"metadata": {"name": self.shop.namespace}})

    async def close(self) -> None:
        """End what runs, and leave the namespace to be deleted."""
        if self.running:
            await self.kill()
        await self._outage.aclose()
        self._proxy.forget()
        await self.shop.client.delete(NAMESPACES, Key("", self.shop.namespace))

    async def start(self) -> None:
        """Run an operator from now on."""
        running = running_operator(
            self._proxy.kubeconfig, self.shop.namespace, ask=everybody_confirms
        )
        operator = await self._lifetime.enter_async_context(running)
        self._actors = operator, Watchdog(operator)

    async def kill(self) -> None:
        """End the operator in the midst of what it does."""
        await self.operator.kill()
        self._actors = None
        await self._lifetime.aclose()

    async def stop(self) -> None:
        """Let the operator finish what it does, and end it."""
        await self.operator.stop()
        self._actors = None
        await self._lifetime.aclose()

    def check(self) -> None:
        """Raise if the operator died, or if what holds at every moment does not."""
        if self._actors is not None:
            operator, watchdog = self._actors
            operator.check()
            watchdog.check()

    async def break_watches(self) -> None:
        """Break every watch once; each goes on where it was."""
        self._proxy.kill(f"/namespaces/{self.shop.namespace}/.*watch=true")

    async def go_blind(self) -> None:
        """Cut every watch until `see`."""
        outage = blindness(self._proxy, f"/namespaces/{self.shop.namespace}/")
        await self._outage.enter_async_context(outage)
        self.blind = True

    async def see(self) -> None:
        """Let the watches come back, and find that the versions they were at have expired."""
        await self._outage.aclose()
        self.blind = False

    async def catch_up(self) -> None:
        """Give the caches some time to have what the API server has; `settle` waits for longer."""
        with suppress(AssertionError):
            await eventually(lambda: self.operator.lagging(self.shop.client), [], seconds=10)

    async def resync(self) -> None:
        """Tell the operator of every object once more."""
        await self.operator.resync()

    async def run_pods(self) -> bool:
        """Do a kubelet's work: let every pod run and be ready. Tell whether all did already."""
        pages = self.shop.client.list_pages(PODS, namespace=self.shop.namespace)
        pods = [pod async for page in pages for pod in page.items]
        idle = [pod for pod in pods if pod["status"]["phase"] != "Running"]
        for pod in idle:
            await self._run_pod(pod)
        return not idle

    async def _run_pod(self, pod: Object) -> None:
        try:
            await self.shop.client.merge_patch(
                PODS, key_of(pod), {"status": READY}, subresource="status"
            )
        except ApiError as error:
            if not error.is_not_found:  # it went with its server
                raise

    async def settle(self, expected: Mapping[str, object]) -> None:
        """Wait until there is nothing left to do, and see that all is as expected.

        Raises:
            AssertionError: It is not, and stays so; or there is no end.
        """
        if self.blind:
            await self.see()
        if not self.running:
            await self.start()
        seen, looks = [""], 0
        give_up = asyncio.get_running_loop().time() + HANG_SECONDS
        while True:
            run = await self.run_pods()
            left = await self.operator.lagging(self.shop.client)
            wrong = differences(await state_of(self.shop, self.operator), expected)
            left += [*left_to_do(self.operator), *unavailable(self.operator)]
            self.check()
            at_rest = run and not left and not self.operator.busy
            if at_rest and not wrong:
                return
            looks = looks + 1 if at_rest and wrong == seen else 0
            seen = wrong
            assert looks < LOOKS, "in the end " + "\n".join(wrong)
            late = asyncio.get_running_loop().time() > give_up
            assert not late, f"after {HANG_SECONDS} s " + "\n".join([*left, *wrong])
            await asyncio.sleep(0.02)

    async def rest(self) -> None:
        """See that a settled operator writes nothing, though it looks at everything again."""
        self.operator.forget_requests()
        await self.operator.resync()
        await self.operator.idle()
        self.check()
        assert not self.operator.writes, f"written at rest: {self.operator.writes}"


def unavailable(operator: Operator) -> Iterator[str]:
    """Name the Deployments that do not count their pod yet."""
    for deployment in stored(operator, DEPLOYMENTS):
        if deployment.get("status", {}).get("availableReplicas") != 1:
            yield f"Deployment {key_of(deployment).name} is not available"


async def everybody_confirms(pod: Pod, digest: str) -> str:
    """Stand for gateways that serve at once whatever they are asked for."""
    del pod
    return digest
