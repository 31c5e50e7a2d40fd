"""An informer by itself, which mirrors the ConfigMaps of a namespace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from faults.proxy import FaultProxy
from mcp_operator.core.meta import Object, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.notification import Event
from support.objects import CONFIG_MAPS
from support.waiting import HANG_SECONDS, eventually


def a_map(namespace: str, name: str, value: str = "1") -> Object:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": value}}


class Mirror:
    """An informer of the namespace's ConfigMaps and what it told; Kubernetes' own is left out."""

    def __init__(self, informer: Informer) -> None:
        self.informer = informer
        self.heard: list[Event] = []
        informer.add_handler(self._hear)

    def _hear(self, event: Event) -> None:
        if not key_of(event.object).name.startswith("kube-"):
            self.heard.append(event)

    @property
    def told(self) -> list[str]:
        return [f"{event.type} {key_of(event.object).name}" for event in self.heard]

    async def values(self) -> dict[str, str]:
        return {
            key_of(obj).name: obj["data"]["x"]
            for obj in self.informer.store
            if not key_of(obj).name.startswith("kube-")
        }

    async def has_roots(self) -> bool:
        """Tell whether the namespace has the certificates of the cluster."""
        return any(key_of(obj).name == "kube-root-ca.crt" for obj in self.informer.store)

    async def holds(self, **values: str) -> None:
        await eventually(self.values, values)


@asynccontextmanager
async def mirrored(client: Client, namespace: str) -> AsyncIterator[Mirror]:
    informers = InformerSet(client)
    mirror = Mirror(informers.informer(CONFIG_MAPS, namespace=namespace))
    running = asyncio.create_task(informers.run())
    try:
        await informers.wait_synced(HANG_SECONDS)
        mirror.heard.clear()
        yield mirror
    finally:
        running.cancel()
        await asyncio.wait({running})


async def opened(proxy: FaultProxy) -> bool:
    """Tell whether a watch of ConfigMaps was opened."""
    return bool(proxy.watches("/configmaps"))
