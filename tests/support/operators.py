"""The operator in the test's process, with a real API server and a log of its requests."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mcp_operator.builders.context import BuildContext
from mcp_operator.controllers.confirmations import Answer, Ask, AskError, Pod
from mcp_operator.controllers.recorder import EventRecorder
from mcp_operator.controllers.setup import add_controllers
from mcp_operator.core.clock import SystemClock
from mcp_operator.core.meta import Key, Object, key_of, resource_version_of
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.manager import Manager
from mcp_operator.runtime.scope import Scope
from support.waiting import HANG_SECONDS, hang_guard

SOON = 0.03
"""Seconds within which a delayed key counts as work: the first retries after a failure."""

GATEWAY_IMAGE = "mcp-operator:test"
"""The image of the servers' pods, which no kubelet runs."""

CONTEXT = BuildContext(gateway_image=GATEWAY_IMAGE)
"""The settings of an installation with defaults only."""


class Sent(NamedTuple):
    """One request of the operator; `path` is the part after the namespace."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class LoggingClient(Client):
    """A client that logs its requests, except for Events and Leases."""

    log: list[Sent]

    async def request(self, method: str, path: str, **options: Any) -> bytes:
        if "/events" not in path and "/leases" not in path:
            inside = path.partition("/namespaces/")[2].partition("/")[2]
            self.log.append(Sent(method, inside or path))
        return await super().request(method, path, **options)


class Operator:
    """A running operator, with methods for tests."""

    def __init__(
        self,
        client: LoggingClient,
        controllers: Sequence[Controller],
        recorder: EventRecorder,
        running: asyncio.Task[None],
        namespace: str,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._controllers = controllers
        self._recorder = recorder
        self._running = running
        sources = dict.fromkeys(source for each in controllers for source in each._sources)
        self.informers = [source for source in sources if isinstance(source, Informer)]

    def forget_requests(self) -> None:
        """Start a new log of requests."""
        self._client.log.clear()

    @property
    def writes(self) -> list[str]:
        """The mutating requests in the log, such as `PATCH configmaps/name`."""
        return [str(sent) for sent in self._client.log if sent.method != "GET"]

    @property
    def reads(self) -> list[str]:
        """The GETs and LISTs in the log, without watches."""
        return [str(sent) for sent in self._client.log if sent.method == "GET"]

    def drift_corrected(self) -> Counter[str]:
        """Return how many children were restored so far, by kind."""
        return self._counted("drift_corrected_total", "kind")

    def reconciliations(self) -> int:
        """Return the number of reconciliations so far."""
        return self._counted("controller_runtime_reconcile_total", "controller").total()

    async def unserved(self) -> set[str]:
        """Return the plurals of the required resources that cannot be watched."""
        return {each.resource.plural for each in self.informers if each.problem and each.served}

    async def resync(self) -> None:
        """Resync every informer, as it does by itself after ten hours."""
        for informer in self.informers:
            await informer.resync()

    def _counted(self, name: str, label: str) -> Counter[str]:
        counted = Counter[str]()
        for family in self._client.metrics.registry.collect():
            for sample in family.samples:
                if sample.name == name:
                    counted[sample.labels[label]] += int(sample.value)
        return counted

    @property
    def busy(self) -> bool:
        """Whether a key is queued, delayed or being reconciled, or an event is pending."""
        soon = asyncio.get_running_loop().time() + SOON
        busy = any(len(c.queue) + c.queue.processing + len(c._lanes) for c in self._controllers)
        due = any((c.queue._delayed.peek() or math.inf) <= soon for c in self._controllers)
        return busy or due or not self._recorder._queue.empty()

    async def idle(self) -> None:
        """Wait until the operator is not busy for some turns of the event loop.

        Pending events of the API server can cause more work; `settled` waits for these as well.
        """
        quiet = 0
        async with hang_guard():
            while quiet < 5:
                await asyncio.sleep(0.02)
                self.check()
                quiet = 0 if self.busy else quiet + 1

    async def settled(self, beside: Client) -> None:
        """Wait until the operator is idle and its caches match the API server.

        Args:
            beside: A client of the test, whose requests are not logged.
        """
        async with hang_guard():
            while True:
                await self.idle()
                behind = await self.lagging(beside)
                if not (behind or self.busy or [*self.retries()]):
                    return

    async def lagging(self, beside: Client) -> list[str]:
        """Return the caches whose objects or versions differ from those of the API server."""
        self.check()
        informers = [informer for informer in self.informers if informer.served]
        real = await asyncio.gather(*(self._real(informer, beside) for informer in informers))
        return [
            f"the cache of {informer.resource} lags behind"
            for informer, versions in zip(informers, real, strict=True)
            if _versions(informer.store) != versions
        ]

    def retries(self) -> Iterator[str]:
        """Return the keys that could not be reconciled and are retried."""
        for controller in self._controllers:
            for key in controller.queue._rate_limiter._failures:
                yield f"{controller.kind} {key} failed and is tried again"

    async def _real(self, informer: Informer, beside: Client) -> dict[Key, int]:
        selector = informer.processor._selection.label_selector
        pages = beside.list_pages(
            informer.resource, namespace=self._namespace, label_selector=selector
        )
        return _versions([obj async for page in pages for obj in page.items])

    async def stop(self) -> None:
        """Stop the operator before its block ends."""
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    async def kill(self) -> None:
        """Kill the operator before its block ends; nothing in progress is finished."""
        while not self._running.done():
            self._running.cancel()
            await asyncio.sleep(0)

    def check(self) -> None:
        """Raise the exception with which the operator ended, if any."""
        if self._running.done():
            self._running.result()


def _versions(objects: Iterable[Object]) -> dict[Key, int]:
    return {key_of(obj): resource_version_of(obj) for obj in objects}


async def nobody_answers(pod: Pod, digest: str) -> Answer:
    """Respond like gateways that cannot be reached."""
    raise AskError(f"nobody answers for {pod.name} about {digest}")


@contextlib.asynccontextmanager
async def running_operator(
    kubeconfig: Path,
    namespace: str,
    *,
    ask: Ask = nobody_answers,
    installation: str = "",
    context: BuildContext = CONTEXT,
    through: type[LoggingClient] = LoggingClient,
    scope: Scope | None = None,
) -> AsyncIterator[Operator]:
    """Run the operator for one namespace, with a class of client, until the block ends.

    With a scope, it watches the namespaces of the scope, and `settled` is not available.
    """
    metrics = RuntimeMetrics(new_registry())
    client = await through.connect(
        kubeconfig=kubeconfig,
        field_manager="mcp-operator",
        user_agent="mcp-operator-tests",
        metrics=metrics,
    )
    assert isinstance(client, LoggingClient)
    client.log = []
    informers = InformerSet(client, scope or Scope((namespace,)))
    manager = Manager(
        informers=informers, metrics=metrics, metrics_port=0, health_port=0, host="127.0.0.1"
    )
    recorder = EventRecorder(client, controller="test", instance="test", clock=SystemClock())
    add_controllers(
        manager,
        informers,
        client,
        context=context,
        recorder=recorder,
        ask=ask,
        clock=SystemClock(),
        installation=installation,
        workers=4,
    )
    manager.add_runnable("events", recorder.run)
    running = asyncio.create_task(manager.run(), name="operator")
    synced = asyncio.create_task(informers.wait_synced(HANG_SECONDS))
    try:
        await asyncio.wait({running, synced}, return_when=asyncio.FIRST_COMPLETED)
        yield Operator(client, manager._controllers, recorder, running, namespace)
    finally:
        running.cancel()
        synced.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await client.close()
