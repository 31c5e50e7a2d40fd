"""Keeps a copy of every ConfigMap that has the label copy=true."""

from pathlib import Path

from mcp_operator.core.meta import Key, Resource
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.apply import Applier
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.informer import InformerSet
from mcp_operator.runtime.manager import Manager
from mcp_operator.runtime.sources import for_object, for_owner

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


class Copier:
    def __init__(self, client: Client, informers: InformerSet, namespace: str) -> None:
        self._originals = informers.informer(
            CONFIG_MAPS, namespace=namespace, label_selector="copy=true"
        )
        self._copies = informers.informer(
            CONFIG_MAPS, namespace=namespace, label_selector="copied=true"
        )
        self._applier = Applier(client, hash_annotation="example.com/applied")
        self.controller = (
            Controller("copier", "ConfigMap", self, metrics=client.metrics)
            .watch(self._originals, for_object())
            .watch(self._copies, for_owner("", "ConfigMap"))
        )

    async def reconcile(self, request: Key) -> None:
        original = self._originals.store.get(request)
        if original is None:
            return  # the owner reference has its copy garbage collected
        copy = Key(request.namespace, f"{request.name}-copy")
        metadata = {**copy._asdict(), "labels": {"copied": "true"}}
        head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        desired = head | {"data": original.get("data", {})}
        await self._applier.apply(original, desired, CONFIG_MAPS, self._copies.store.get(copy))


async def run(kubeconfig: Path, namespace: str) -> None:
    metrics = RuntimeMetrics(new_registry(), prefix="copier")
    client = await Client.connect(
        kubeconfig=kubeconfig, field_manager="copier", user_agent="copier/1", metrics=metrics
    )
    informers = InformerSet(client)
    manager = Manager(informers=informers, metrics=metrics, metrics_port=0, health_port=0)
    manager.add(Copier(client, informers, namespace).controller)
    try:
        await manager.run()
    finally:
        await client.close()
