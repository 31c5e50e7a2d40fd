"""An informer for the ConfigMaps of a namespace, without an operator."""

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


def config_map(namespace: str, name: str, value: str = "1") -> Object:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": value}}


class ObservedInformer:
    """An informer for ConfigMaps and its events, except for those that Kubernetes creates."""

    def __init__(self, informer: Informer) -> None:
        self.informer = informer
        self.events: list[Event] = []
        informer.add_handler(self._record)

    def _record(self, event: Event) -> None:
        if not key_of(event.object).name.startswith("kube-"):
            self.events.append(event)

    @property
    def summary(self) -> list[str]:
        return [f"{event.type} {key_of(event.object).name}" for event in self.events]

    async def values(self) -> dict[str, str]:
        return {
            key_of(obj).name: obj["data"]["x"]
            for obj in self.informer.store
            if not key_of(obj).name.startswith("kube-")
        }

    async def has_root_certificate(self) -> bool:
        """Return whether the cluster's root certificate has been published in the namespace."""
        return any(key_of(obj).name == "kube-root-ca.crt" for obj in self.informer.store)

    async def holds(self, **values: str) -> None:
        await eventually(self.values, values)


@asynccontextmanager
async def observed_informer(client: Client, namespace: str) -> AsyncIterator[ObservedInformer]:
    informers = InformerSet(client)
    observed = ObservedInformer(informers.informer(CONFIG_MAPS, namespace=namespace))
    running = asyncio.create_task(informers.run())
    try:
        await informers.wait_synced(HANG_SECONDS)
        observed.events.clear()
        yield observed
    finally:
        running.cancel()
        await asyncio.wait({running})


async def watch_opened(proxy: FaultProxy) -> bool:
    """Return whether a watch of ConfigMaps has been opened."""
    return bool(proxy.watches("/configmaps"))
