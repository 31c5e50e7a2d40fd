"""The demo's cluster with targets for faults: a second backend, a Redis, the operator itself."""

from __future__ import annotations

import base64
import json
import time
from typing import Self

import aiohttp

from cluster_environment import ClusterEnvironment, samples
from environment import Processes, until
from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import CONFIGMAPS, SECRETS, SERVICES
from mcp_operator.core.meta import Key, Object, Resource
from support.controlplane import ControlPlane
from support.faulty_backend import FaultyBackend, faulty_backend
from support.processes import ProcessError
from support.redis_server import RedisServer
from support.scrapes import Point, scraped

WAREHOUSE = "warehouse"
"""The Service of the second backend."""

REDIS = "redis"
"""The Service of the Redis that counts the server's limits."""

TOOL = "check-stock"
"""The MCPTool that calls the second backend, and its tool."""

CREDENTIALS = "warehouse-api"

CREDENTIAL = "canary-4f1d9c2b7e6a"
"""The gateway's credential for the second backend. A client must never see it."""


class DrillEnvironment(ClusterEnvironment):
    """A ClusterEnvironment that needs its own control plane.

    Attributes:
        backend: The second backend.
        redis: The Redis of the server.
    """

    backend: FaultyBackend
    redis: RedisServer

    def __init__(self, cluster: ControlPlane, processes: Processes) -> None:
        super().__init__(cluster, processes)
        self.redis = processes.redis()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.backend = await self._exit.enter_async_context(faulty_backend())
        self._services[f"{self.namespace}/{WAREHOUSE}:80"] = self.backend.address
        self._services[f"{self.namespace}/{REDIS}:6379"] = f"127.0.0.1:{self.redis.port}"
        return self

    async def apply_samples(self) -> list[str]:
        """Apply the samples, with limits that use Redis, and a tool of the second backend."""
        await self.redis.start()
        applied = await super().apply_samples()
        server = next(one for one in samples(self.namespace) if one["kind"] == MCPSERVERS.kind)
        server["spec"] |= {
            "redis": {"serviceName": REDIS},
            "rateLimits": {"shared": {"requests": 600, "per": "Minute"}},
        }
        for resource, obj in (
            (MCPSERVERS, server),
            (SECRETS, self._secret()),
            (SERVICES, self.service()),
            (SERVICES, self.service(REDIS, 6379)),
            (MCPTOOLS, self.tool()),
        ):
            await self.client.apply(resource, obj)
        return [
            *applied,
            f"Secret/{CREDENTIALS}",
            f"Service/{WAREHOUSE}",
            f"Service/{REDIS}",
            f"MCPTool/{TOOL}",
        ]

    def service(self, name: str = WAREHOUSE, port: int = 80) -> Object:
        """Return a Service, by default that of the second backend."""
        spec = {"ports": [{"port": port}], "selector": {"app": name}}
        return self._object(SERVICES, name, {"spec": spec})

    def tool(self, name: str = TOOL, **changes: object) -> Object:
        """Return an MCPTool that calls the second backend."""
        spec = {
            "name": name,
            "description": "Tells where a product is stored, and how many are left.",
            "method": "GET",
            "service": {"name": WAREHOUSE, "port": 80, "path": "/stock"},
            "inputSchema": {"type": "object", "properties": {"sku": {"type": "string"}}},
            "timeout": "2s",
            "request": {"credentials": {"type": "Bearer", "secretRef": {"name": CREDENTIALS}}},
        }
        return self._object(MCPTOOLS, name, {"spec": spec | changes})

    def _secret(self) -> Object:
        token = base64.b64encode(CREDENTIAL.encode()).decode()
        return self._object(SECRETS, CREDENTIALS, {"data": {"token": token}})

    def _object(self, resource: Resource, name: str, content: Object) -> Object:
        labels = {"app.kubernetes.io/part-of": "shop"}
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        return {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": metadata,
            **content,
        }

    async def run_operator(self, *flags: str) -> None:
        """Run the operator with a short Lease, so that a new leader starts soon."""
        await super().run_operator(
            "--lease-duration=6", "--renew-deadline=4", "--retry-period=1", *flags
        )

    async def delete(self, resource: Resource, name: str) -> None:
        """Delete an object, as `kubectl delete` does."""
        await self.client.delete(resource, Key(self.namespace, name))

    async def condition(self, resource: Resource, name: str, type_: str) -> Object:
        """Return a condition of an object; empty if it has none of this type."""
        obj = await self.client.get(resource, Key(self.namespace, name))
        conditions: list[Object] = obj.get("status", {}).get("conditions") or []
        return next((one for one in conditions if one["type"] == type_), {})

    async def until_condition(
        self, resource: Resource, name: str, type_: str, status: str
    ) -> Object:
        """Wait until an object has a condition with this status, and return the condition."""
        found: Object = {}

        async def holds() -> bool:
            found.update(await self.condition(resource, name, type_))
            return found.get("status") == status

        if not await until(holds):
            raise ProcessError(f"{resource.kind} {name} never said {type_}={status}, but {found}")
        return found

    async def pages(self) -> tuple[str | None, str | None]:
        """Return the metrics of the operator and of the gateway; None for who does not answer."""
        return await page(f"{self.metrics}/metrics"), await page(f"{self._management}/metrics")

    async def scrape(self) -> dict[str, Point]:
        """Scrape the operator and the gateway, as Prometheus does."""
        operator, gateway = await self.pages()
        now = time.time()
        return scraped(operator, now, job="mcp-operator", pod="mcp-operator-0") | scraped(
            gateway, now, job="mcp-servers", namespace=self.namespace, pod="mcp-server-shop-0"
        )

    async def redis_answers(self) -> bool:
        """Return whether the gateway is connected to Redis, according to its metric."""
        scrape = await self.scrape()
        return any(one.value for name, one in scrape.items() if name.startswith("mcp_redis_up"))

    async def readable(self) -> dict[str, str]:
        """Return everything that others than the backend can read, by the name of the place."""
        catalog = [
            str(obj)
            async for listed in self.client.list_pages(CONFIGMAPS, namespace=self.namespace)
            for obj in listed.items
        ]
        return {
            "the logs": self._processes.logs() + self.kubelet.logs(),
            "the ConfigMaps": "".join(catalog),
            "the catalog in service": await page(f"{self._management}/catalog") or "",
            "the metrics": await page(f"{self._management}/metrics") or "",
        }

    @property
    def _management(self) -> str:
        host = self.url.removeprefix("http://").partition(":")[0]
        return f"http://{host}:8081"

    def logged(self, message: str, since: str) -> Object:
        """Return the newest line of the operator's or the gateway's log with a message.

        Args:
            message: The message.
            since: Excludes older lines; in the format of the logs' timestamps.
        """
        lines = [*self._processes.logs().splitlines(), *self.kubelet.logs().splitlines()]
        found: list[Object] = [json.loads(line) for line in lines if f'"{message}"' in line]
        return next((one for one in reversed(found) if one["timestamp"] >= since), {})


async def page(url: str) -> str | None:
    """Return a page of a process; None if the process does not answer."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.text()
    except aiohttp.ClientError:
        return None
