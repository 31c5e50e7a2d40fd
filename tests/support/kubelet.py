"""A miniature kubelet, for a control plane without nodes.

It runs the Pods that the Deployment controller creates for MCP servers: each container whose
command is ``mcp-operator`` becomes a process of this checkout, with the Pod's ServiceAccount token,
on a loopback address of its own. Probes, restarts, graceful deletion, preStop hooks that sleep, and
the status of Pods work as in a cluster, but it probes more often, and pulls no images.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from pathlib import Path
from typing import Self

import aiohttp

from mcp_operator.core.meta import Key, Object, Resource, is_deleting, key_of, uid_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.pods import PODS, Pod, Unrouted
from support.processes import ProcessGroup

logger = logging.getLogger(__name__)

NODES = Resource("", "v1", "nodes", "Node", namespaced=False)

NODE_LABEL = "mcp-operator.dev/miniature"
"""Distinguishes these nodes from real ones, whose kubelets would run the Pods."""

_RETRY_DELAY = 0.5
"""Seconds until the next attempt if the API server does not respond."""

_SELECTOR = "app.kubernetes.io/managed-by=mcp-operator"


class Kubelet:
    """Runs the Pods of one namespace until the block ends.

    Args:
        client: The client of an administrator.
        kubeconfig: A kubeconfig of the same cluster, from which those of the Pods are derived.
        namespace: The namespace of the Pods.
        services: The address of each Service for the processes, ``NAMESPACE/NAME:PORT`` to
            ``HOST:PORT``, because nothing routes cluster IPs. It applies to new processes.

    Attributes:
        unrouted: Awaited by a preStop hook that sleeps, until no new connections reach the Pod. In
            a cluster this happens long before the sleep ends, but not on a busy machine.
    """

    def __init__(
        self, client: Client, kubeconfig: Path, namespace: str, services: dict[str, str]
    ) -> None:
        self._client = client
        self._kubeconfig = kubeconfig
        self.namespace = namespace
        self.services = services
        self.unrouted: Unrouted = at_once
        self._node = Key("", f"node-of-{namespace}")
        self._pods: dict[str, Pod] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        self._processes = ProcessGroup(Path(tempfile.mkdtemp(prefix="mcp-operator-pods-")))
        self._http = aiohttp.ClientSession()
        # Tokens that are bound to a Pod contain the Pod's node, so it must exist.
        node = {"metadata": {"name": self._node.name, "labels": {NODE_LABEL: "true"}}}
        await self._client.create(NODES, node)
        self._main = asyncio.create_task(self._follow(), name=f"kubelet of {self.namespace}")
        return self

    async def __aexit__(self, *exception: object) -> None:
        tasks = [self._main, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._processes.stop)
        await self._http.close()
        with contextlib.suppress(ApiError):  # the cluster might have stopped already
            await self._client.delete(NODES, self._node)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def logs(self) -> str:
        """The output of all processes, for the failure message of a test."""
        return self._processes.logs()

    async def _follow(self) -> None:
        """Pass the state of each Pod to its task, and list again when a watch ends."""
        while True:
            try:
                await self._watch(await self._list())
            except ApiError as error:
                logger.warning("The kubelet cannot follow Pods", extra={"error": str(error)})
                await asyncio.sleep(_RETRY_DELAY)

    async def _list(self) -> str:
        present = set()
        version = ""
        pages = self._client.list_pages(PODS, namespace=self.namespace, label_selector=_SELECTOR)
        async for page in pages:
            version = page.resource_version
            for obj in page.items:
                present.add(uid_of(obj))
                self._observe(obj)
        for uid in self._pods.keys() - present:
            self._pods[uid].gone.set()
        return version

    async def _watch(self, version: str) -> None:
        async for event in self._client.watch(
            PODS, namespace=self.namespace, label_selector=_SELECTOR, resource_version=version
        ):
            pod = self._pods.get(uid_of(event.object)) if event.type == "DELETED" else None
            if pod:
                pod.gone.set()
            elif event.type in {"ADDED", "MODIFIED"}:
                self._observe(event.object)

    def _observe(self, obj: Object) -> None:
        uid = uid_of(obj)
        if uid not in self._pods and not is_deleting(obj):
            pod = self._pods[uid] = Pod(
                obj,
                self._node.name,
                self._client,
                self._http,
                self._processes,
                unrouted=self._unrouted,
            )
            self._tasks[uid] = asyncio.create_task(self._run(uid, pod), name=f"pod {key_of(obj)}")
        elif uid in self._pods and is_deleting(obj):
            self._pods[uid].terminating.set()

    async def _unrouted(self, address: str) -> None:
        await self.unrouted(address)

    async def _run(self, uid: str, pod: Pod) -> None:
        await pod.run(self._kubeconfig, self.services)
        del self._pods[uid], self._tasks[uid]


async def at_once(_: str) -> None:
    """Return at once."""
