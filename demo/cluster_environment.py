"""The samples in a cluster: CRDs, operator, a gateway, and the backend behind its Service."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Self

import yaml

from environment import BACKEND, BACKEND_PORT, READY_TIMEOUT, SAMPLES, Processes, until_ok
from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.controlplane import Cluster, ControlPlane
from support.crds import DEFINITIONS, install_crds
from support.kubelet import Kubelet
from support.network import free_port
from support.pods import PODS
from support.processes import Child, ProcessError
from tables import table

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICES = Resource("", "v1", "services", "Service")

OURS = (MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES)

RESOURCES = {one.kind: one for one in (*OURS, SERVICES)}
"""The resources of the samples' objects, without the backend's Deployment: it is a process here."""

SERVER = "shop"

_SHOWN = ("toolSelector", "name", "description", "method", "service", "inputSchema")
"""The fields of a spec that an audience needs to see."""


class ClusterEnvironment:
    """A namespace of a cluster with the samples, for the duration of the block.

    If the cluster has no nodes and runs the Deployment controller, the gateway is the Pod that the
    operator's Deployment creates. Otherwise, the gateway is a process beside the operator.

    Attributes:
        own_namespace: The namespace in a control plane of the demo's own. Two environments that
            follow each other there need different ones, because a deletion takes a while.
    """

    own_namespace = "demo"

    def __init__(self, cluster: Cluster, processes: Processes) -> None:
        own = isinstance(cluster, ControlPlane)
        self.namespace = self.own_namespace if own else f"mcp-demo-{uuid.uuid4().hex[:6]}"
        self.url = ""
        self._cluster = cluster
        self._processes = processes
        self._runs_pods = own and cluster.has_controllers
        self._exit = contextlib.AsyncExitStack()
        self._services = {f"{self.namespace}/{BACKEND}:{BACKEND_PORT}": processes.backend}
        self.client: Client
        self.kubelet: Kubelet
        self.operator: Child
        self.metrics = f"http://127.0.0.1:{free_port()}"

    async def __aenter__(self) -> Self:
        self.client = await Client.connect(
            kubeconfig=self._cluster.kubeconfig,
            field_manager="mcp-operator-demo",
            user_agent="mcp-operator-demo",
            metrics=RuntimeMetrics(new_registry()),
        )
        self._exit.push_async_callback(self.client.close)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._exit.aclose()

    async def install_crds(self) -> list[str]:
        """Install the CRDs. On exit, those that did not exist before are deleted."""
        before = {
            definition["metadata"]["name"]
            async for page in self.client.list_pages(DEFINITIONS)
            for definition in page.items
        }
        installed = [
            definition["metadata"]["name"] for definition in await install_crds(self.client)
        ]
        for name in set(installed) - before:
            self._exit.push_async_callback(self._delete, DEFINITIONS, Key("", name))
        return installed

    async def start_operator(self) -> None:
        """Start the control plane, restricted to the demo's namespace."""
        await self.client.create(NAMESPACES, {"metadata": {"name": self.namespace}})
        self._exit.push_async_callback(self._delete, NAMESPACES, Key("", self.namespace))
        await self.run_operator()

    async def run_operator(self, *flags: str) -> None:
        """Run the control plane, and wait until it is ready."""
        health = free_port()
        self.operator = self._processes.operator(
            "operator",
            f"--kubeconfig={self._cluster.kubeconfig}",
            f"--namespace={self.namespace}",
            f"--lease-namespace={self.namespace}",
            "--bind-address=127.0.0.1",
            f"--metrics-port={self.metrics.rpartition(':')[2]}",
            f"--health-port={health}",
            *flags,
        )
        await until_ok(self.operator, f"http://127.0.0.1:{health}/readyz")

    async def apply_samples(self) -> list[str]:
        """Start the backend and apply the samples; return the names of the applied objects."""
        await self._processes.start_backend()
        applied = []
        for obj in samples(self.namespace):
            await self.client.apply(RESOURCES[obj["kind"]], obj)
            applied.append(f"{obj['kind']}/{obj['metadata']['name']}")
        return applied

    def shown(self) -> list[Object]:
        """Return the parts of the samples for an audience: the server, and a short tool."""
        parts = []
        for obj in samples(self.namespace):
            if obj["metadata"]["name"] == "search-products" or obj["kind"] == MCPSERVERS.kind:
                spec = {key: obj["spec"][key] for key in _SHOWN if key in obj["spec"]}
                parts.append({"kind": obj["kind"], "metadata": obj["metadata"], "spec": spec})
        return parts

    async def start_gateway(self) -> str:
        """Start the gateway, wait until it serves the catalog, and set `url`.

        Returns:
            A sentence about how it runs.
        """
        if not self._runs_pods:
            await self._start_gateway_process()
            return (
                "It runs beside the operator: this cluster's nodes cannot pull your checkout as\n"
                "an image, so the Pods of the Deployment do not start, and Ready stays False."
            )
        self.kubelet = await self._exit.enter_async_context(
            Kubelet(self.client, self._cluster.kubeconfig, self.namespace, self._services)
        )
        await self._until_ready()
        async for page in self.client.list_pages(PODS, namespace=self.namespace):
            for pod in page.items:
                self.url = f"http://{pod['status']['podIP']}:8080/mcp"
        return "It runs as the Pod that the operator's Deployment made, with the Pod's own token."

    async def _start_gateway_process(self) -> None:
        port, management = free_port(), free_port()
        child = self._processes.operator(
            "gateway",
            f"--kubeconfig={self._cluster.kubeconfig}",
            f"--namespace={self.namespace}",
            f"--server={SERVER}",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--management-port={management}",
            *(f"--service={name}={target}" for name, target in self._services.items()),
        )
        await until_ok(child, f"http://127.0.0.1:{management}/readyz")
        self.url = f"http://127.0.0.1:{port}/mcp"

    async def _until_ready(self) -> None:
        """Wait until the operator reports that the gateway confirmed the catalog."""
        events = self.client.watch(
            MCPSERVERS, namespace=self.namespace, field_selector=f"metadata.name={SERVER}"
        )
        conditions: list[Object] = []
        try:
            async with asyncio.timeout(READY_TIMEOUT), contextlib.aclosing(events):
                async for event in events:
                    conditions = event.object.get("status", {}).get("conditions") or []
                    if any(
                        one["type"] == "Ready" and one["status"] == "True" for one in conditions
                    ):
                        return
        except TimeoutError:
            said = "; ".join(
                f"{one['type']} {one['status']}: {one['message']}" for one in conditions
            )
            raise ProcessError(
                f"MCPServer {SERVER} was not ready in {READY_TIMEOUT:g} s: {said or 'no status'}"
            ) from None

    async def describe_tool(self, name: str, description: str) -> None:
        """Apply with server-side apply, as `kubectl apply --server-side` does."""
        tool = next(obj for obj in samples(self.namespace) if obj["metadata"]["name"] == name)
        tool["spec"]["description"] = description
        await self.client.apply(MCPTOOLS, tool)

    async def delete_tool(self, name: str) -> None:
        """Delete, as `kubectl delete` does."""
        await self.client.delete(MCPTOOLS, Key(self.namespace, name))

    async def tables(self) -> str:
        """Return the output of `kubectl get` for the custom resources."""
        parts = [await table(self.client, resource, self.namespace) for resource in OURS]
        return "\n\n".join(parts)

    async def _delete(self, resource: Resource, key: Key) -> None:
        try:
            await self.client.delete(resource, key)
        except ApiError as error:
            print(f"Please delete {resource} {key} yourself: {error}")


def samples(namespace: str) -> list[Object]:
    """Return the objects of the samples that the demo uses."""
    files = [*sorted(SAMPLES.glob("*.yaml")), SAMPLES / "backend" / "service.yaml"]
    objects = [
        document
        for file in files
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        if document["kind"] in RESOURCES
    ]
    for obj in objects:
        obj["metadata"]["namespace"] = namespace
    return objects
